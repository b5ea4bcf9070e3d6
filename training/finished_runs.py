"""Runs of a command, kept as they finish, so that a command that was stopped goes on behind them.

A run is known by its settings: what was done with them once is not done again. Knows no training.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from training.preparation import Say
from training.settings import TrainingSettings
from wraner.errors import InvalidInput
from wraner.formats.spans import fault

Outcome = TypeVar("Outcome", bound=BaseModel)


class Finished(BaseModel, Generic[Outcome]):
    """A run, under the hash of its settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: str
    outcome: Outcome
    seconds: float


def carry_on(
    runs: Sequence[TrainingSettings],
    file: Path,
    run: Callable[[TrainingSettings], Outcome],
    kind: type[Finished[Outcome]],
    *,
    say: Say,
) -> tuple[Finished[Outcome], ...]:
    """Do with `run` those of some runs that `file` lacks, and return all of them, in their order.

    Raises:
        InvalidInput: the file is damaged.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    done = {finished.settings: finished for finished in _read(file, kind)}
    for number, chosen in enumerate(runs, start=1):
        if chosen.identity in done:
            continue
        began = time.monotonic()
        outcome = run(chosen)
        seconds = time.monotonic() - began
        finished = kind(settings=chosen.identity, outcome=outcome, seconds=seconds)
        _append(file, finished)
        done[finished.settings] = finished
        say(f"run {number} of {len(runs)}, {seconds:.0f} s: {outcome}")
    return tuple(done[chosen.identity] for chosen in runs)


def _read(file: Path, kind: type[Finished[Outcome]]) -> list[Finished[Outcome]]:
    """Return the finished runs; a line that a stop cut off is removed."""
    if not file.exists():
        return []
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        os.truncate(file, len(whole))
    try:
        return [kind.model_validate_json(line) for line in whole.splitlines()]
    except ValidationError as error:
        raise InvalidInput(f"{file} is damaged: {fault(error)}; remove it to begin anew") from error


def _append(file: Path, finished: BaseModel) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.write(finished.model_dump_json() + "\n")
        out.flush()
        os.fsync(out.fileno())
