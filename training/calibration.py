"""Fit how a judge's answers and the index's evidence become scores, on texts that were not taught.

    python -m training.calibration training/configs/moderation-own.yaml --adapter FOLDER \\
        --without ADAPTER TUNING

Each dev text is asked about as in serving, every fifth about all policies: with the texts that were
taught as the policy set's examples, and with the set's own few. Policies that a judge was not
taught get weights of their own, fitted to the sets of `untaught`: house rules, those that name
what alone is allowed apart, and eight policies for which an adapter and a tuning are needed that
were trained without them. Where these are not at hand, `--later-of ADAPTER` keeps what an earlier
adapter weighs for later policies of the taught kind.

Prints figures of texts that the weights were not fitted to, see `calibration_tables`, and writes
what it fitted into the adapter's manifest.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from rich.console import Console

from index.encoders import load_encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from training.calibration_tables import Answered, TwoWays, tables, together
from training.fusion_fit import Tiers, fitted, fitted_to_new_sets
from training.judge_answers import Judge, ask
from training.judged_texts import JudgedTexts, read_judged_texts
from training.policy_settings import PolicySettings
from training.policy_wordings import shipped_wordings
from training.settings import JudgementSettings, TrainingSettings, read_settings
from training.untaught import NewSet, allow_lists, ask_new_set, house_rules, left_out
from training.word_manifest import read_word_manifest
from wraner import weights
from wraner.adapters import read_adapter, write_adapter
from wraner.errors import InvalidInput, WranerError
from wraner.fusion import Fusion, wordings
from wraner.language_model import LanguageModel
from wraner.local import LocalEngine
from wraner.pack_folders import read_pack_folder
from wraner.packs import PolicySet


@dataclass(frozen=True, slots=True)
class Subjects:
    """What is asked about: dev texts, with the taught texts and the set's `own` as examples; and
    new sets, of which `left_out` are policies of the same set that `without` was not taught.
    """

    judged: JudgedTexts
    own: PolicySet
    house_rules: dict[str, NewSet]
    left_out: dict[str, NewSet]
    allow_lists: dict[str, NewSet] = field(default_factory=dict)

    @property
    def tiers(self) -> Tiers:
        """The tiers of all policies."""
        sets = (*self.house_rules.values(), *self.allow_lists.values())
        rules = [p for new in sets for p in new.pack.policies]
        return {p.id: p.tier for p in (*self.own.policies, *rules)}


def fit(
    answered: Answered,
    tiers: Tiers,
    taught: tuple[str, ...],
    *,
    shown: int,
    later: Fusion | None = None,
) -> Fusion:
    """Return all weights; `taught` names the words by which the judge was taught policies.

    Questions have `shown` examples a side. Untaught sets are small, and say nothing of how many
    policies are judged. Those of another kind than the encoder's have weights of their own beside
    their part in the common ones, which `later` replaces, and so have those that name what alone is
    allowed, which have no part in these.
    """
    kinds = {}
    if answered.foreign:
        kinds["foreign"] = together(answered.untaught, answered.foreign)
    if answered.allow_lists:
        kinds["allow_list"] = together(answered.allow_lists, answered.allow_lists)
    if later is None:
        common = together(answered.untaught, answered.untaught)
        later = fitted_to_new_sets(*common, tiers, hears="words")
    shows = {"examples_shown": shown}
    own = {
        kind: fitted_to_new_sets(*sets, tiers, hears="wordings").model_copy(update=shows)
        for kind, sets in kinds.items()
    }
    few = fitted(answered.few, tiers, hears="definition").model_copy(update=shows)
    untaught = later.model_copy(update={**shows, **own})
    return fitted(answered.many, tiers, hears="leaning").model_copy(
        update={**shows, "few": few, "taught": taught, "untaught": untaught}
    )


async def answers(
    judge: Judge,
    without: Judge | None,
    subjects: Subjects,
    say: Callable[[str], None] = lambda _: None,
    *,
    shown: int = 0,
) -> Answered:
    """Ask about everything; `without` is asked about the policies that it was not taught.

    Questions show so many examples a side.
    """
    judge, without = (replace(one, shown=shown) for one in (judge, without or judge))
    judged = subjects.judged
    untaught: dict[str, TwoWays] = {}
    lists: dict[str, TwoWays] = {}
    for asked, sets, found in (
        (judge, subjects.house_rules, untaught),
        (without, subjects.left_out, untaught),
        (judge, subjects.allow_lists, lists),
    ):
        for name, new in sets.items():
            say(f"asking about {len(new.texts)} texts, never taught: {name}")
            found[name] = await ask_new_set(asked, new)
    say(f"asking about {len(judged.dev)} dev texts, the taught texts as examples")
    many = await ask(judge, judged.pack, judged.dev)
    say(f"asking about {len(judged.dev)} dev texts, the policy set's own examples")
    return Answered(many, await ask(judge, subjects.own, judged.dev), untaught, lists)


def main(arguments: list[str] | None = None) -> int:
    """Fit as the command line asks."""
    args = _parser().parse_args(arguments)
    try:
        settings = _judgements(read_settings(args.config), args.config)
        later = _later(args.later_of) if args.later_of else None
        for adapter in (args.adapter, *args.without[:1]):
            _check_kept_back(settings, adapter)
        if args.without:
            _check_left_out(*args.without)
        subjects = _subjects(settings, args.without, args.data)
        with _judge(args, args.adapter, args.policy_tuning) as judge, _without(args) as without:
            say = Console(stderr=True).log
            answered = asyncio.run(answers(judge, without, subjects, say, shown=args.shown))
    except WranerError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(tables(answered, subjects.tiers)))
    taught = taught_words(subjects.judged, _taught_by(args.adapter))
    fusion = fit(answered, subjects.tiers, taught, shown=args.shown, later=later)
    print(fusion.model_dump_json(indent=2))
    shelf, identity = args.adapter.parent, args.adapter.name
    manifest = read_adapter(shelf, identity)
    write_adapter(shelf, args.adapter, manifest.model_copy(update={"calibration": fusion}))
    return 0


def taught_words(judged: JudgedTexts, settings: JudgementSettings) -> tuple[str, ...]:
    """Return the names of all words by which a judge is taught policies."""
    others = shipped_wordings().others if settings.reworded else {}
    reworded = [
        p.model_copy(update=dict(zip(("title", "definition"), others[p.id], strict=True)))
        for p in judged.policies
        if p.id in others
    ]
    return wordings([*judged.policies, *reworded])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--adapter", type=Path, required=True, help="its folder, named by its hash")
    later = parser.add_mutually_exclusive_group(required=True)
    later.add_argument(
        "--without",
        type=Path,
        nargs=2,
        default=(),
        metavar=("ADAPTER", "TUNING"),
        help="folders of those that were trained without eight policies",
    )
    later.add_argument(
        "--later-of",
        type=Path,
        help="folder of an adapter whose weights for later policies of the taught kind are kept",
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--state", type=Path, default=Path("state"))
    parser.add_argument("--policy-tuning", type=Path, default=Path("adapters/policies"))
    parser.add_argument(
        "--shown",
        type=int,
        choices=(0, 1, 2),
        default=1,
        help="examples a side in a question",
    )
    return parser


def _judgements(settings: TrainingSettings, origin: Path) -> JudgementSettings:
    if settings.judgements is None:
        raise InvalidInput(f"expected settings with judgements, was: {origin}")
    return settings.judgements


def _taught_by(adapter: Path) -> JudgementSettings:
    """Return what an adapter was taught, as its manifest says."""
    config = read_adapter(adapter.parent, adapter.name).config
    return _judgements(TrainingSettings.model_validate(config), adapter)


def _check_kept_back(settings: JudgementSettings, adapter: Path) -> None:
    """Refuse an adapter that was trained with other texts kept for choosing."""
    taught = _taught_by(adapter).texts
    if (taught.far, taught.train) != (settings.texts.far, settings.texts.train):
        raise InvalidInput(
            f"expected an adapter taught by {settings.texts.train} without the texts that are "
            f"asked (far: {settings.texts.far}), was: {adapter}, taught by {taught.train} (far: "
            f"{taught.far})"
        )


def _check_left_out(adapter: Path, tuning: Path) -> None:
    """Refuse an adapter and a tuning that were not trained without the same policies."""
    left = _taught_by(adapter).texts.without
    tuned = PolicySettings.model_validate(read_word_manifest(tuning).config).texts.without
    if not left or set(left) != set(tuned):
        raise InvalidInput(
            "expected an adapter and a tuning that were trained without the same policies, was: "
            f"{adapter}, without {', '.join(left) or 'none'}, and {tuning}, without "
            f"{', '.join(tuned) or 'none'}"
        )


def _later(adapter: Path) -> Fusion:
    """Return an adapter's weights for policies that came later than its training."""
    calibration = read_adapter(adapter.parent, adapter.name).calibration
    if calibration is None or calibration.untaught is None:
        raise InvalidInput(
            f"expected an adapter with weights for later policies, was: {adapter}, without any"
        )
    return calibration.untaught


def _subjects(settings: JudgementSettings, without: Sequence[Path], data: Path) -> Subjects:
    own = read_pack_folder(settings.texts.policy_set)
    assert isinstance(own, PolicySet)
    gone = left_out(_taught_by(without[0]).texts, data) if without else {}
    judged = read_judged_texts(settings.texts, data)
    breaching = [t for t in judged.dev if t.breaches]
    return Subjects(judged, own, house_rules(breaching), gone, allow_lists(breaching))


def _without(args: argparse.Namespace) -> AbstractContextManager[Judge | None]:
    return _judge(args, *args.without) if args.without else nullcontext()


@contextmanager
def _judge(args: argparse.Namespace, adapter: Path, tuning: Path) -> Iterator[Judge]:
    base = weights.resolve(weights.BUNDLED, args.state / "models")
    read_adapter(adapter.parent, adapter.name)
    engine = LocalEngine(LanguageModel(base, adapters=adapter.parent))
    encoders = load_encoders(None, None, for_policies=tuning)
    retriever = LocalRetriever(encoders, IndexSettings())
    try:
        yield Judge(retriever, engine, adapter.name)
    finally:
        engine.close()


if __name__ == "__main__":
    sys.exit(main())
