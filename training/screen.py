"""The screen of the regularisers: which of them help, told by 16 short runs.

Each of eight factors is at its low level in half of the runs and at its high in the other half,
see `factorial` and `screen_factors`. Everything else is as `configs/ner.yaml` says, but for the
budget and the questions with one wording; so types are always shuffled, and examples as often as by
default. Every run has the same seed, the same number of updates and the same tokens. Measured is
the loss of the right answers on a fixed sample of CrossNER's dev sentences, with their train
sentences as examples, see `answer_loss`: on so few sentences an F1 is too rough to tell runs apart.
What is found holds for short runs on this base model; an effect is a reason to train with several
seeds and to evaluate, not a result. Finished runs are kept in `runs.jsonl`; a screen that was
stopped goes on behind them. Knows no cluster.

    python -m training.screen --data ../shared/data --out FOLDER
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console

from index.contextual import ContextualEncoder
from index.encoders import DOMAIN_LAYER
from training.factorial import design, effects
from training.ner_domains import Split, read_domain
from training.preparation import Places, Say
from training.screen_factors import FACTORS, Factor, settings_at
from training.screen_run import Outcome, carry_out, gather
from training.settings import TrainingSettings, read_settings
from training.sheets import shipped_sheet
from wraner.errors import InvalidInput, WranerError
from wraner.formats.spans import fault

CONFIG = Path(__file__).parent / "configs" / "ner.yaml"
DOMAINS = ("politics", "science", "music", "literature", "ai")
STEPS, STEP_TOKENS = 10, 2200  # 22,000 tokens a run
QUESTIONS = 2  # with one wording: larger groups could not be dealt into steps of equal size
SENTENCES = 6  # of a domain
_RUNS, _TABLE = "runs.jsonl", "screen.md"


class Finished(BaseModel):
    """A run of the design, counted from 0, under the hash of its settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: int
    settings: str
    outcome: Outcome
    seconds: float


CarryOut = Callable[[TrainingSettings], Outcome]


def screen(
    settings: TrainingSettings, folder: Path, run: CarryOut, *, say: Say
) -> tuple[Finished, ...]:
    """Do with `run` what is missing of the design in `folder`, and return all of its runs.

    Raises:
        InvalidInput: the folder holds a screen with other settings, or a damaged one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    runs = [settings_at(levels, settings) for levels in design(len(FACTORS))]
    finished = _read(folder / _RUNS, runs)
    for number, chosen in enumerate(runs[len(finished) :], start=len(finished)):
        began = time.monotonic()
        outcome = run(chosen)
        done = Finished(
            run=number,
            settings=chosen.identity,
            outcome=outcome,
            seconds=time.monotonic() - began,
        )
        _append(folder / _RUNS, done)
        finished.append(done)
        say(f"run {number + 1} of {len(runs)}: {outcome}, {done.seconds:.0f} s")
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


def table(finished: Sequence[Finished]) -> str:
    """Return the effects as Markdown, and how far chance reaches."""
    whole = effects([f.outcome.answers for f in finished], factors=len(FACTORS))
    labels = effects([f.outcome.labels for f in finished], factors=len(FACTORS))
    tokens = [f.outcome.tokens for f in finished]
    rows = [
        (f"{factor.name}: {_values(factor, 'low')} or {_values(factor, 'high')}", *sizes)
        for factor, *sizes in zip(FACTORS, whole.factors, labels.factors, strict=True)
    ]
    rows += [
        ("standard error, from the interactions", whole.standard_error, labels.standard_error),
        (
            "Lenth's pseudo standard error",
            whole.pseudo_standard_error,
            labels.pseudo_standard_error,
        ),
        ("margin of error, 95 %, after Lenth", whole.margin, labels.margin),
        ("mean of all runs", whole.mean, labels.mean),
    ]
    lines = [
        "| low or high | answers, nats a token | labels, nats a token |",
        "|---|---|---|",
        *(f"| {name} | {one:+.4f} | {other:+.4f} |" for name, one, other in rows),
        "",
        f"Effects are high less low, so what helps is negative; {len(finished)} runs of "
        f"{min(tokens):,} to {max(tokens):,} tokens.",
    ]
    return "\n".join(lines) + "\n"


def _values(factor: Factor, level: Literal["low", "high"]) -> str:
    return ", ".join(f"{dial.field} {getattr(dial, level)}" for dial in factor.dials)


def main() -> int:
    """Screen as the command line asks, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--state", type=Path, default=Path("state"))
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    console = Console(stderr=True)
    say: Say = console.log
    try:
        settings = shortened(read_settings(CONFIG))
        domains = [
            read_domain(args.data / "crossner" / name, shipped_sheet(name), Split.DEV)
            for name in DOMAINS
        ]
        sampled = [domain.sample(SENTENCES, seed=settings.seed) for domain in domains]
        encoder = ContextualEncoder(layer=DOMAIN_LAYER)
        material = gather(settings, Places(args.state, args.data), sampled, encoder, say=say)
        finished = screen(settings, args.out, lambda s: carry_out(s, material), say=say)
    except WranerError as error:
        console.print(f"[red]{error}[/]")
        return 1
    found = table(finished)
    (args.out / _TABLE).write_text(found, encoding="utf-8")
    print(found, end="")
    return 0


def shortened(settings: TrainingSettings) -> TrainingSettings:
    """Return settings with the screen's budget."""
    budget = {"steps": STEPS, "step_tokens": STEP_TOKENS}
    return settings.model_copy(
        update={
            "optimiser": settings.optimiser.model_copy(update=budget),
            "prompts": settings.prompts.model_copy(update={"questions": QUESTIONS}),
        }
    )


if __name__ == "__main__":
    sys.exit(main())
