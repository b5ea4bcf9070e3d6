"""What a judge learns its policies by, and what retrieval adds: short runs, each without one thing.

    python -m training.judge_ablation --data ../shared/data --out FOLDER
    python -m training.judge_ablation --data ../shared/data --out FOLDER --far --first 3
    python -m training.judge_ablation --data ../shared/data --adapter FOLDER

Every run is `configs/moderation.yaml` with the same seed and the same small budget, but for what
its row says. Asked are the texts kept for choosing, see `judge_examination`: the dev texts, of some
of which near copies are taught, or with `--far` a third of all texts (1,029 rows), of which none
is. They are also asked as in serving, with what the index finds among the taught texts, by an
encoder that was tuned without them, and scored with and without that evidence; which policies are
judged it says in both. And about eight policies, those that one of the runs is not taught, the
texts of the test file that were collected for them, which nothing is chosen by. Finished runs are
kept; a command that was stopped goes on behind them. `--adapter` asks the same of one that was
trained before, as it was taught. Knows no cluster.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict
from rich.console import Console

from index.contextual import ContextualEncoder
from index.encoders import TEXT_LAYER
from training.finished_runs import Finished, carry_on
from training.judge_examination import Shown, asking, examine, nearness, nothing
from training.judge_with_index import ask_with_index, fused, retriever_for, unheard
from training.judged_neighbours import JudgedNeighbours
from training.judged_texts import JudgedTexts, TaughtText, read_judged_texts
from training.loop import train
from training.policy_wordings import titled
from training.preparation import Places, Prepared, prepare
from training.settings import JudgementSettings, TrainingSettings, read_settings
from training.token_count import TokenCount
from wraner.adapters import read_adapter
from wraner.errors import InvalidInput, WranerError
from wraner.packs import Policy
from wraner.retrieval import Retriever

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
        Variant(
            "eight never taught, the others reworded and numbered",
            {"without": without, "reworded": 0.5, "numbered": 0.2},
        ),
        Variant(
            "the same with examples in questions",
            {"without": without, "reworded": 0.5, "numbered": 0.2, "examples": (2.0, 1.0, 1.0)},
        ),
    )


class Answers(BaseModel):
    """What a trained judge answered, and the tokens that it was trained on.

    `dev` are the figures of `Examined`; `titles_alone` and `unseen` are `Examined.near` of policies
    that show their titles alone, and of the eight, by their texts in the test file. `indexed` and
    `unheard` are the figures of `Fused` with the index's evidence and without.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tokens: int
    dev: dict[str, float]
    titles_alone: float
    unseen: float
    indexed: dict[str, float]
    unheard: dict[str, float]


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


def settings_of_adapter(adapter: Path, base: TrainingSettings) -> TrainingSettings:
    """Return the settings by which an adapter was trained, to go on from it.

    Raises:
        InvalidInput: it is no judge, or was taught the texts that are asked.
    """
    trained = TrainingSettings.model_validate(read_adapter(adapter.parent, adapter.name).config)
    if trained.judgements is None or base.judgements is None:
        raise InvalidInput(f"expected an adapter that judges, was: {adapter}")
    far, asked = trained.judgements.texts.far, base.judgements.texts.far
    if far != asked:
        raise InvalidInput(
            f"expected an adapter that was taught none of the texts that are asked (far: {asked}), "
            f"was: {adapter}, trained with far: {far}"
        )
    return trained.model_copy(update={"start": adapter})


def chosen_by(base: TrainingSettings, *, far: bool) -> TrainingSettings:
    """Return settings that choose by the dev texts, or by a part of all that no copy is taught of.

    Raises:
        InvalidInput: the settings have no judgements.
    """
    if base.judgements is None:
        raise InvalidInput("expected settings with judgements, was: sources")
    texts = base.judgements.texts.model_copy(update={"far": 0 if far else None})
    judgements = base.judgements.model_copy(update={"texts": texts})
    return base.model_copy(update={"judgements": judgements})


@dataclass(frozen=True)
class Asked:
    """What all runs are asked: `unseen` has the test file's texts on the policies of `few`."""

    judged: JudgedTexts
    few: tuple[Policy, ...]
    unseen: tuple[TaughtText, ...]
    retriever: Retriever

    @cached_property
    def neighbours(self) -> JudgedNeighbours:
        """The taught texts as examples, those of `few` among them, as a store would have them."""
        return JudgedNeighbours(
            [t.example for t in self.judged.train], ContextualEncoder(layer=TEXT_LAYER).sentences
        )

    def shown(self, a_side: int) -> Shown:
        """Return what shows so many examples a side."""
        if not a_side:
            return nothing
        return lambda text, policy: self.neighbours.nearest(text.example.text, policy, a_side)


def carry_out(settings: TrainingSettings, asked: Asked, places: Places) -> Answers:
    """Train a judge and ask it."""
    prepared = prepare(settings, places)
    heard = TokenCount()
    train(prepared.run, heard)
    return answers_of(prepared, asked, heard.tokens)


def answers_of(judge: Prepared, asked: Asked, tokens: int) -> Answers:
    """Ask a judge as it is taught: by titles, or with as many examples as it ever saw."""
    ask = asking(judge.run.model, judge.run.packer, judge.chat)
    taught = judge.run.settings.judgements
    assert taught is not None
    plain = (lambda policy: policy) if taught.definitions else titled
    shown = asked.shown(len(taught.examples) - 1)
    pack, dev = asked.judged.pack.model_copy(update={"examples": ()}), asked.judged.dev
    policies = tuple(plain(p) for p in pack.policies)
    served = asked.judged.pack.model_copy(update={"policies": policies})
    found = ask_with_index(ask, served, dev, asked.retriever)
    return Answers(
        tokens=tokens,
        dev=asdict(examine(ask, pack, dev, plain, shown)),
        titles_alone=nearness(ask, [titled(p) for p in pack.policies], dev, shown),
        unseen=nearness(ask, asked.few, asked.unseen, shown),
        indexed=asdict(fused(found, served)),
        unheard=asdict(fused(unheard(found), served)),
    )


def gather(base: TrainingSettings, without: tuple[str, ...], places: Places) -> Asked:
    """Read what all runs are asked.

    Raises:
        InvalidInput: the settings have no judgements, or a file cannot be read.
    """
    if base.judgements is None:
        raise InvalidInput("expected settings with judgements, was: sources")
    texts = base.judgements.texts
    judged = read_judged_texts(texts, places.data)
    held_out = texts.model_copy(update={"train": texts.held_out[0], "held_out": (), "far": None})
    of_test = read_judged_texts(held_out, places.data)
    return Asked(
        judged,
        tuple(p for p in judged.policies if p.id in without),
        tuple(t for t in of_test.train if set(t.near) & set(without)),
        retriever_for(judged, texts, places.state),
    )


def table(rows: Mapping[str, Answers]) -> str:
    """Return judges' figures as Markdown."""
    lines = [
        "| judge | tokens | whole set | policy, near texts | which policy | opposite "
        "| near, asked by titles | near, eight policies of the test file "
        "| as served: AUROC | wrong | evidence unheard: AUROC | wrong |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, answers in rows.items():
        dev = [answers.dev[kind] for kind in ("overall", "near", "which", "opposite")]
        both = [x[kind] for x in (answers.indexed, answers.unheard) for kind in ("auroc", "wrong")]
        figures = [*dev, answers.titles_alone, answers.unseen, *both]
        shown = " | ".join(f"{x:.3f}" for x in figures)
        lines.append(f"| {name} | {answers.tokens:,} | {shown} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run what is missing or ask one adapter, as the command line says, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--state", type=Path, default=Path("state"))
    parser.add_argument("--far", action="store_true", help="ask texts that no taught one is near")
    parser.add_argument("--first", type=int, help="so many runs only")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=Path, help="keeps the runs")
    what.add_argument("--adapter", type=Path, help="an adapter's folder: ask it alone")
    args = parser.parse_args()
    console = Console(stderr=True)
    try:
        base = chosen_by(read_settings(_CONFIGS / "moderation.yaml"), far=args.far)
        without = read_settings(_CONFIGS / "moderation-without.yaml")
        assert without.judgements is not None
        few = without.judgements.texts.without
        places = Places(args.state, args.data)
        asked = gather(base, few, places)
        if args.adapter is not None:
            started = prepare(settings_of_adapter(args.adapter, base), places)
            rows = {args.adapter.name[:12]: answers_of(started, asked, 0)}
        else:
            run = partial(carry_out, asked=asked, places=places)
            runs = {v.name: settings_of(v, base) for v in variants(few)[: args.first]}
            file = args.out / _RUNS
            finished = carry_on(list(runs.values()), file, run, Finished[Answers], say=console.log)
            rows = dict(zip(runs, [f.outcome for f in finished], strict=True))
    except WranerError as error:
        console.print(f"[red]{error}[/]")
        return 1
    print(table(rows), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
