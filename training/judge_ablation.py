"""What a judge learns its policies by: short runs, each without one thing, asked without retrieval.

    python -m training.judge_ablation --data ../shared/data --out FOLDER

Every run is `configs/moderation.yaml` with the same seed and the same small budget, but for what
its row says. Asked are the texts kept for choosing, see `judge_examination`; and about eight
policies, those that one of the runs is not taught, the texts of the test file that were collected
for them, which nothing is chosen by. Finished runs are kept; a command that was stopped goes on
behind them. Knows no cluster.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from rich.console import Console

from training.finished_runs import Finished, carry_on
from training.judge_examination import asking, examine, nearness, titled
from training.judged_texts import JudgedTexts, TaughtText, read_judged_texts
from training.loop import train
from training.policy_settings import read_policy_settings
from training.preparation import Places, prepare
from training.settings import JudgementSettings, TrainingSettings, read_settings
from training.token_count import TokenCount
from wraner.errors import InvalidInput, WranerError
from wraner.packs import Policy

_CONFIGS = Path(__file__).parent / "configs"
STEPS = 100  # of configs/moderation.yaml's 3072 tokens each
_RUNS = "runs.jsonl"


@dataclass(frozen=True, slots=True)
class Variant:
    """A run: what is other than in the first."""

    name: str
    changed: dict[str, Any]


def variants(without: tuple[str, ...]) -> tuple[Variant, ...]:
    """Return all runs; `without` are the policies that one of them is not taught."""
    return (
        Variant("as the config says", {}),
        Variant("without definitions, titles alone", {"definitions": False}),
        Variant("without contrasts", {"contrasts": False}),
        Variant("eight policies never taught", {"without": without}),
    )


class Answers(BaseModel):
    """What a trained judge answered, and the tokens that it was trained on.

    `dev` are the figures of `Examined`; `titles_alone` and `unseen` are `Examined.near` of policies
    that show their titles alone, and of the eight, by their texts in the test file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: int
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


@dataclass(frozen=True)
class Asked:
    """What all runs are asked: `unseen` has the test file's texts on the policies of `few`."""

    judged: JudgedTexts
    few: tuple[Policy, ...]
    unseen: tuple[TaughtText, ...]


def carry_out(settings: TrainingSettings, asked: Asked, places: Places) -> Answers:
    """Train a judge and ask it: by titles, where it was taught by them."""
    prepared = prepare(settings, places)
    heard = TokenCount()
    train(prepared.run, heard)
    ask = asking(prepared.run.model, prepared.run.packer, prepared.chat)
    assert settings.judgements is not None
    plain = (lambda policy: policy) if settings.judgements.definitions else titled
    pack, dev = asked.judged.pack.model_copy(update={"examples": ()}), asked.judged.dev
    return Answers(
        tokens=heard.tokens,
        dev=asdict(examine(ask, pack, dev, plain)),
        titles_alone=nearness(ask, [titled(p) for p in pack.policies], dev),
        unseen=nearness(ask, asked.few, asked.unseen),
    )


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


def table(runs: Sequence[Variant], finished: Sequence[Finished[Answers]]) -> str:
    """Return the figures as Markdown."""
    lines = [
        "| run | whole set | policy, near texts | which policy | opposite "
        "| near, asked by titles | near, eight policies of the test file |",
        "|---|---|---|---|---|---|---|",
    ]
    for variant, done in zip(runs, finished, strict=True):
        answers = done.outcome
        dev = [answers.dev[kind] for kind in ("overall", "near", "which", "opposite")]
        figures = [*dev, answers.titles_alone, answers.unseen]
        lines.append(f"| {variant.name} | " + " | ".join(f"{x:.3f}" for x in figures) + " |")
    tokens = [done.outcome.tokens for done in finished]
    return "\n".join([*lines, "", f"Runs of {min(tokens):,} to {max(tokens):,} tokens."]) + "\n"


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
        asked, runs = gather(base, without, args.data), variants(without)
        run = partial(carry_out, asked=asked, places=Places(args.state, args.data))
        chosen, file = [settings_of(v, base) for v in runs], args.out / _RUNS
        finished = carry_on(chosen, file, run, Finished[Answers], say=console.log)
    except WranerError as error:
        console.print(f"[red]{error}[/]")
        return 1
    print(table(runs, finished), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
