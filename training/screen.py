"""The screen of the regularisers: which of them help, told by 16 short runs.

Each of eight factors is at its low level in half of the runs and at its high in the other half,
see `factorial` and `screen_factors`. Everything else is as `configs/ner.yaml` says, but for the
budget and the questions with one wording; so types are always shuffled, and examples as often as by
default. Every run has the same seed, the same number of updates and the same tokens. Measured is F1
on a fixed sample of CrossNER's dev sentences, with their train sentences as examples, of the
adapter's own answers: no votes. An effect is a reason to confirm it, which `--confirm` does with
one factor's two levels under three more seeds, everything else as the config has it. Finished runs
are kept, and a command that was stopped goes on behind them. Knows no cluster.

    python -m training.screen --data ../shared/data --out FOLDER
    python -m training.screen --data ../shared/data --out FOLDER --confirm "types masked"
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, stdev
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console

from index.contextual import ContextualEncoder
from index.encoders import DOMAIN_LAYER, load_encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from training.examination import examination
from training.factorial import design, effects
from training.ner_domains import Split, read_domain
from training.preparation import Places, Say
from training.screen_factors import FACTORS, Factor, settings_at
from training.screen_run import Material, Outcome, carry_out, gather
from training.settings import TrainingSettings, read_settings
from training.sheets import shipped_sheet
from wraner.engine import Engine
from wraner.errors import InvalidInput, WranerError
from wraner.extract import Extractor
from wraner.formats.spans import fault

CONFIG = Path(__file__).parent / "configs" / "ner.yaml"
DOMAINS = ("politics", "science", "music", "literature", "ai")
STEPS, STEP_TOKENS = 20, 2500  # 50,000 tokens a run
QUESTIONS = 2  # with one wording: larger groups could not be dealt into steps of equal size
SENTENCES = 20  # of a domain
SEEDS = (1, 2, 3)  # of a confirmation; the screen has 0
_RUNS, _TABLE = "runs.jsonl", "screen.md"


class Finished(BaseModel):
    """A run, counted from 0, under the hash of its settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    run: int
    settings: str
    outcome: Outcome
    seconds: float


CarryOut = Callable[[TrainingSettings], Outcome]


def screen_settings(settings: TrainingSettings) -> list[TrainingSettings]:
    """Return the settings of the design's runs, in its order."""
    return [settings_at(levels, settings) for levels in design(len(FACTORS))]


def confirmation(factor: Factor, settings: TrainingSettings) -> list[TrainingSettings]:
    """Return the settings of a confirmation's runs: low and high under each seed."""
    runs = []
    for seed in SEEDS:
        seeded = settings.model_copy(update={"seed": seed})
        runs += [factor.at(level, seeded) for level in (-1, 1)]
    return runs


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


def table(finished: Sequence[Finished]) -> str:
    """Return the screen's effects as Markdown, and how far chance reaches."""
    found = effects([f.outcome.f1 for f in finished], factors=len(FACTORS))
    rows = [(_levels(f), size) for f, size in zip(FACTORS, found.factors, strict=True)]
    rows += [
        ("standard error, from the interactions", found.standard_error),
        ("Lenth's pseudo standard error", found.pseudo_standard_error),
        ("margin of error, 95 %, after Lenth", found.margin),
        ("mean of all runs", found.mean),
    ]
    lines = ["| low or high | F1, points |", "|---|---|"]
    lines += [f"| {name} | {size:+.1f} |" for name, size in rows]
    return "\n".join([*lines, "", f"Effects are high less low; {_budget(finished)}."]) + "\n"


def confirmed(factor: Factor, finished: Sequence[Finished]) -> str:
    """Return a confirmation's runs as Markdown, with the mean difference and its standard error."""
    lines = [f"| {_levels(factor)}: seed | low | high | high less low |", "|---|---|---|---|"]
    gaps = []
    for seed, low, high in zip(SEEDS, finished[::2], finished[1::2], strict=True):
        gaps.append(high.outcome.f1 - low.outcome.f1)
        shown = f"{low.outcome.f1:.1f} | {high.outcome.f1:.1f} | {gaps[-1]:+.1f}"
        lines.append(f"| {seed} | {shown} |")
    error = stdev(gaps) / len(gaps) ** 0.5
    lines.append(f"| mean | | | {fmean(gaps):+.1f}, standard error {error:.1f} |")
    return "\n".join([*lines, "", f"{_budget(finished).capitalize()}."]) + "\n"


def _budget(finished: Sequence[Finished]) -> str:
    tokens = [f.outcome.tokens for f in finished]
    return f"{len(finished)} runs of {min(tokens):,} to {max(tokens):,} tokens"


def _levels(factor: Factor) -> str:
    return f"{factor.name}: {_values(factor, 'low')} or {_values(factor, 'high')}"


def _values(factor: Factor, level: Literal["low", "high"]) -> str:
    return ", ".join(f"{dial.field} {getattr(dial, level)}" for dial in factor.dials)


def main() -> int:
    """Screen or confirm as the command line asks, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--state", type=Path, default=Path("state"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--word-adapter", default="adapters/words", help="a folder, or none")
    parser.add_argument("--confirm", choices=[f.name for f in FACTORS], metavar="FACTOR")
    args = parser.parse_args()
    console = Console(stderr=True)
    tuning = None if args.word_adapter == "none" else Path(args.word_adapter)
    try:
        settings = shortened(read_settings(CONFIG))
        material = _material(settings, Places(args.state, args.data), tuning, console)
        run: CarryOut = partial(carry_out, material=material)
        if args.confirm is None:
            file, runs = args.out / _RUNS, screen_settings(settings)
            found = table(carry_on(runs, file, run, say=console.log))
            (args.out / _TABLE).write_text(found, encoding="utf-8")
        else:
            factor = next(f for f in FACTORS if f.name == args.confirm)
            file = args.out / f"{factor.name.replace(' ', '-')}.jsonl"
            runs = confirmation(factor, settings)
            found = confirmed(factor, carry_on(runs, file, run, say=console.log))
    except WranerError as error:
        console.print(f"[red]{error}[/]")
        return 1
    print(found, end="")
    return 0


def _material(
    settings: TrainingSettings, places: Places, tuning: Path | None, console: Console
) -> Material:
    domains = [
        read_domain(places.data / "crossner" / name, shipped_sheet(name), Split.DEV)
        for name in DOMAINS
    ]
    sampled = [domain.sample(SENTENCES, seed=0) for domain in domains]
    retriever = LocalRetriever(load_encoders(None, tuning), IndexSettings())

    def extractor_of(engine: Engine) -> Extractor:
        return Extractor(retriever=retriever, engine=engine)

    asked = examination(extractor_of, console)
    encoder = ContextualEncoder(layer=DOMAIN_LAYER)
    return gather(settings, places, sampled, encoder, asked, say=console.log)


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
