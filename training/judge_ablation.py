"""What a judge learns its policies by: short runs, each without one thing, asked without retrieval.

    python -m training.judge_ablation --data ../shared/data --out FOLDER

Every run is `configs/moderation.yaml` with the same seed and the same small budget, but for what
its row says. Asked are the texts kept for choosing, see `judge_examination`; and about eight
policies, those that one of the runs is not taught, the texts of the test file that were collected
for them, which nothing is chosen by. Finished rows are kept in `rows.jsonl`; a table that was
stopped goes on behind them. Knows no cluster.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict
from rich.console import Console

from training.judge_examination import asking, examine, nearness, titled
from training.judged_texts import JudgedTexts, TaughtText, read_judged_texts
from training.loop import State, StepReport, train
from training.policy_settings import read_policy_settings
from training.preparation import Places, prepare
from training.settings import JudgementSettings, TrainingSettings, read_settings
from wraner.errors import InvalidInput, WranerError
from wraner.packs import Policy

_CONFIGS = Path(__file__).parent / "configs"
STEPS = 120  # of configs/moderation.yaml's 3072 tokens each
_ROWS = "rows.jsonl"


@dataclass(frozen=True, slots=True)
class Variant:
    """A run: what is other than in the first."""

    name: str
    changed: dict[str, Any]
    titles: bool = False


def variants(without: tuple[str, ...]) -> tuple[Variant, ...]:
    """Return all runs; `without` are the policies that one of them is not taught."""
    return (
        Variant("as the config says", {}),
        Variant("without definitions, titles alone", {"definitions": False}, titles=True),
        Variant("without contrasts", {"contrasts": False}),
        Variant("eight policies never taught", {"without": without}),
    )


class Row(BaseModel):
    """A finished run.

    `dev` are the figures of `Examined`; `titles_alone` and `unseen` are `Examined.near` of policies
    that show their titles alone, and of the eight, by their texts in the test file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    settings: str
    tokens: int
    seconds: float
    dev: dict[str, float]
    titles_alone: float
    unseen: float


def settings_of(variant: Variant, base: TrainingSettings) -> TrainingSettings:
    """Return a variant's settings, with the small budget."""
    judgements = base.judgements or JudgementSettings()
    changed = dict(variant.changed)
    texts = judgements.texts.model_copy(update={"without": changed.pop("without", ())})
    return base.model_copy(
        update={
            "judgements": judgements.model_copy(update={**changed, "texts": texts}),
            "optimiser": base.optimiser.model_copy(update={"steps": STEPS, "stop": None}),
        }
    )


class CarriesOut(Protocol):
    """Makes a row of a variant."""

    def row(self, variant: Variant, settings: TrainingSettings, places: Places) -> Row:
        """Train a variant and ask it."""
        ...


@dataclass(frozen=True)
class Asked:
    """What all runs are asked: `unseen` has the test file's texts on the policies of `few`."""

    judged: JudgedTexts
    few: tuple[Policy, ...]
    unseen: tuple[TaughtText, ...]

    def row(self, variant: Variant, settings: TrainingSettings, places: Places) -> Row:
        """Train a variant and ask it."""
        began = time.monotonic()
        prepared = prepare(settings, places)
        heard = _Tokens()
        train(prepared.run, heard)
        ask = asking(prepared.run.model, prepared.run.packer, prepared.chat)
        plain = titled if variant.titles else (lambda policy: policy)
        pack = self.judged.pack.model_copy(update={"examples": ()})
        return Row(
            name=variant.name,
            settings=settings.identity,
            tokens=heard.tokens,
            dev=asdict(examine(ask, pack, self.judged.dev, plain)),
            titles_alone=nearness(ask, [titled(p) for p in pack.policies], self.judged.dev),
            unseen=nearness(ask, self.few, self.unseen),
            seconds=time.monotonic() - began,
        )


class _Tokens:
    """Hooks that count tokens."""

    def __init__(self) -> None:
        self.tokens = 0

    def on_step(self, report: StepReport) -> None:
        """Count an update's."""
        self.tokens += report.tokens

    def on_evaluated(self, step: int, loss: float) -> None:
        """Hear nothing."""

    def on_checkpoint(self, state: State) -> None:
        """Keep nothing: a run is short."""


def gather(base: TrainingSettings, without: tuple[str, ...], data: Path) -> Asked:
    """Read what all runs are asked.

    Raises:
        InvalidInput: the settings have no judgements, or a file cannot be read.
    """
    if base.judgements is None:
        raise InvalidInput("expected settings with judgements, was: sources")
    texts = base.judgements.texts
    judged = read_judged_texts(texts, data)
    held_out = texts.model_copy(update={"train": texts.held_out[0], "held_out": ()})
    of_test = read_judged_texts(held_out, data)
    return Asked(
        judged,
        tuple(p for p in judged.policies if p.id in without),
        tuple(t for t in of_test.train if set(t.near) & set(without)),
    )


def table(rows: Sequence[Row]) -> str:
    """Return the figures as Markdown."""
    lines = [
        "| run | whole set | policy, near texts | which policy | opposite "
        "| near, asked by titles | near, eight policies of the test file |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        dev = [row.dev[kind] for kind in ("overall", "near", "which", "opposite")]
        figures = [*dev, row.titles_alone, row.unseen]
        lines.append(f"| {row.name} | " + " | ".join(f"{x:.3f}" for x in figures) + " |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run what is missing, as the command line asks, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--state", type=Path, default=Path("state"))
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    console = Console(stderr=True)
    try:
        base = read_settings(_CONFIGS / "moderation.yaml")
        without = read_policy_settings(_CONFIGS / "policies-without.yaml").texts.without
        asked = gather(base, without, args.data)
        rows = ablate(asked, base, variants(without), Places(args.state, args.data), out=args.out)
    except WranerError as error:
        console.print(f"[red]{error}[/]")
        return 1
    print(table(rows), end="")
    return 0


def ablate(
    asked: CarriesOut,
    base: TrainingSettings,
    runs: Sequence[Variant],
    places: Places,
    *,
    out: Path,
) -> list[Row]:
    """Do what is missing in `out` and return all rows; one of other settings is done again."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / _ROWS
    kept = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    done = {row.settings: row for row in map(Row.model_validate_json, kept)}
    rows = []
    for variant in runs:
        settings = settings_of(variant, base)
        if settings.identity not in done:
            done[settings.identity] = asked.row(variant, settings, places)
            with file.open("a", encoding="utf-8") as lines:
                lines.write(done[settings.identity].model_dump_json() + "\n")
        rows.append(done[settings.identity])
    return rows


if __name__ == "__main__":
    sys.exit(main())
