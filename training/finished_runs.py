"""Runs of one command, kept as they finish, so that a command that was stopped goes on behind them.

Knows no factor and no training.
"""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from training.preparation import Say
from training.screen_run import Outcome
from training.settings import TrainingSettings
from wraner.errors import InvalidInput
from wraner.formats.spans import fault


class Finished(BaseModel):
    """A run, counted from 0, under the hash of its settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: int
    settings: str
    outcome: Outcome
    seconds: float


CarryOut = Callable[[TrainingSettings], Outcome]


def carry_on(
    runs: Sequence[TrainingSettings], file: Path, run: CarryOut, *, say: Say
) -> tuple[Finished, ...]:
    """Do with `run` those of some runs that `file` lacks, and return all.

    Raises:
        InvalidInput: the file holds runs with other settings, or is damaged.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    finished = _read(file, runs)
    for number, chosen in enumerate(runs[len(finished) :], start=len(finished)):
        began = time.monotonic()
        outcome = run(chosen)
        done = Finished(
            run=number,
            settings=chosen.identity,
            outcome=outcome,
            seconds=time.monotonic() - began,
        )
        _append(file, done)
        finished.append(done)
        say(f"run {number + 1} of {len(runs)}: F1 {outcome.f1:.1f}, {done.seconds:.0f} s")
    return tuple(finished)


def _read(file: Path, runs: Sequence[TrainingSettings]) -> list[Finished]:
    """Return the finished runs; a line that a stop cut off is removed."""
    if not file.exists():
        return []
    content = file.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        os.truncate(file, len(whole))
    try:
        found = [Finished.model_validate_json(line) for line in whole.splitlines()]
    except ValidationError as error:
        raise InvalidInput(f"{file} is damaged: {fault(error)}; remove it to begin anew") from error
    expected = [(number, chosen.identity) for number, chosen in enumerate(runs)]
    if [(f.run, f.settings) for f in found] != expected[: len(found)]:
        raise InvalidInput(
            f"expected runs with the settings of this screen in {file}, was: others; "
            "name another folder"
        )
    return found


def _append(file: Path, done: Finished) -> None:
    with file.open("a", encoding="utf-8") as out:
        out.write(done.model_dump_json() + "\n")
        out.flush()
        os.fsync(out.fileno())
