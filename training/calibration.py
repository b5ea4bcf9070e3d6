"""Fit how a judge's answers and the index's evidence become scores, on texts that were not taught.

The policy set's examples are the texts that were taught. Each dev text is asked about as in
serving, every fifth about all policies; what is fitted to the answers gives scores, see
`fusion_fit`.

    python -m training.calibration training/configs/moderation.yaml --adapter FOLDER

Prints figures of the same texts, fitted to the others of ten folds, and writes what it fitted into
the adapter's manifest.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy.special import expit

from index.encoders import load_encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from training.fusion_fit import Asked, cross_fitted, fitted, score_of, with_number
from training.judged_texts import JudgedTexts, TaughtText, read_judged_texts
from training.settings import read_settings
from wraner import packs, weights
from wraner.adapters import read_adapter, write_adapter
from wraner.engine import Engine, ScoreRequest, Scores
from wraner.errors import InvalidInput, WranerError
from wraner.fusion import SHORTLIST, Fusion
from wraner.language_model import LanguageModel
from wraner.local import LocalEngine
from wraner.metrics import auroc, failure_rates
from wraner.pack_folders import read_pack_folder
from wraner.packs import PolicySet
from wraner.prompts import NO, YES, render_judgement, render_overall
from wraner.retrieval import PackRef, Retriever

_AT_ONCE = 10  # texts: more would wait longer than the engine's queue is
_EXHAUSTIVE = 5  # every so many texts one is asked about all policies
_NUMBERS = (3, 5, 10)


@dataclass(frozen=True, slots=True)
class Judge:
    """Who is asked, and how: so many policies a text, `shown` examples a side in a question.

    Every `exhaustive`-th text is asked about all policies.
    """

    retriever: Retriever
    engine: Engine
    adapter: str
    shortlist: int = SHORTLIST
    shown: int = 0
    exhaustive: int = _EXHAUSTIVE


async def ask(
    judge: Judge, judged: JudgedTexts, texts: Sequence[TaughtText], pack: PolicySet | None = None
) -> list[Asked]:
    """Ask about texts as `Moderator` does; `pack` has other examples than the taught texts."""
    pack = judged.pack if pack is None else pack
    words = [t.example.text for t in texts]
    found = await judge.retriever.evidence(
        PackRef(packs.version(pack), inline=pack), words, max(2, judge.shown)
    )
    policies = {p.id: p for p in judged.policies}
    chosen = [
        e.policies[: None if number % judge.exhaustive == 0 else judge.shortlist]
        for number, e in enumerate(found)
    ]
    requests: list[ScoreRequest] = []
    for text, ranked in zip(words, chosen, strict=True):
        for e in ranked:
            examples = [n.example for n in e.examples] if judge.shown else []
            prompt = render_judgement(policies[e.policy], examples, text)
            requests.append(ScoreRequest(prompt, (YES, NO), judge.adapter))
        requests.append(ScoreRequest(render_overall(pack, text), (YES, NO), judge.adapter))
    answers = iter(await judge.engine.score(requests))
    asked = []
    for taught, evidence, ranked in zip(texts, found, chosen, strict=True):
        pairs = tuple((e, _logit(next(answers))) for e in ranked)
        asked.append(Asked(taught, evidence, pairs, _logit(next(answers))))
    return asked


def _logit(scores: Scores) -> float:
    return scores.logprobs[0] - scores.logprobs[1]


def report(name: str, texts: Sequence[TaughtText], scores: Sequence[float]) -> str:
    """Return a Markdown row: AUROC and failure rates at .5, of the texts by their weights too."""
    hateful = [t.breaches for t in texts]
    rates = failure_rates(hateful, [s >= 0.5 for s in scores])
    heavy = [i for i, t in enumerate(texts) if t.weight > 1]
    hard = auroc([hateful[i] for i in heavy], [scores[i] for i in heavy]) if heavy else float("nan")
    figures = (auroc(hateful, list(scores)), hard, rates.hateful, rates.other, rates.overall)
    return f"| {name} | " + " | ".join(f"{x:.3f}" for x in figures) + " |"


def main(arguments: list[str] | None = None) -> int:
    """Fit as the command line asks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--adapter", type=Path, required=True, help="its folder, named by its hash")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--state", type=Path, default=Path("state"))
    parser.add_argument("--policy-tuning", type=Path, default=Path("adapters/policies"))
    parser.add_argument("--shown", type=int, default=0, help="examples a side in a question")
    args = parser.parse_args(arguments)
    try:
        settings = read_settings(args.config)
        if settings.judgements is None:
            raise InvalidInput(f"expected settings with judgements, was: {args.config}")
        judged = read_judged_texts(settings.judgements.texts, args.data)
        own = read_pack_folder(settings.judgements.texts.policy_set)
        assert isinstance(own, PolicySet)
        asked, few = asyncio.run(_asked(args, judged, own))
    except WranerError as error:
        print(error, file=sys.stderr)
        return 1
    shown = bool(args.shown)
    _print_figures(asked, few, judged, shown=shown)
    for_few = fitted(few, judged, shown=shown, few=True)
    fusion = fitted(asked, judged, shown=shown).model_copy(update={"few": for_few})
    print(fusion.model_dump_json(indent=2))
    shelf, identity = args.adapter.parent, args.adapter.name
    manifest = read_adapter(shelf, identity)
    write_adapter(shelf, args.adapter, manifest.model_copy(update={"calibration": fusion}))
    return 0


def _print_figures(
    asked: Sequence[Asked], few: Sequence[Asked], judged: JudgedTexts, *, shown: bool
) -> None:
    texts = [a.text for a in asked]
    print("| score | AUROC | of weightier texts | hateful failure | other failure | overall |")
    print("|---|---|---|---|---|---|")
    print(report("whole set asked", texts, [expit(a.overall) for a in asked]))
    print(report("leaning", texts, [expit(a.evidence.leaning) for a in asked]))
    for name, heard in (("fused", asked), ("few examples", few)):
        fusions = cross_fitted(heard, judged, shown=shown, few=heard is few)
        pairs = list(zip(heard, fusions, strict=True))
        print(report(name, texts, [score_of(a.among(SHORTLIST), f) for a, f in pairs]))
        for row in _by_number(name, pairs):
            print(row)


def _by_number(name: str, pairs: Sequence[tuple[Asked, Fusion]]) -> list[str]:
    """Return rows of the texts that were asked about all policies, by how many are heard."""
    whole = [(a, f) for a, f in pairs if len(a.judged) > SHORTLIST]
    if not whole:
        return []
    texts, most = [a.text for a, _ in whole], len(whole[0][0].judged)
    rows = [
        report(f"{name}, {n} judged", texts, [score_of(a.among(n), f) for a, f in whole])
        for n in (*(n for n in _NUMBERS if n < most), most)
    ]
    deaf = [score_of(a, with_number(f, 0.0)) for a, f in whole]
    return [*rows, report(f"{name}, {most} judged, number unheard", texts, deaf)]


async def _asked(
    args: argparse.Namespace, judged: JudgedTexts, own: PolicySet
) -> tuple[list[Asked], list[Asked]]:
    """Ask about all dev texts, with the taught texts as examples, and with the pack's own few."""
    base = weights.resolve(weights.BUNDLED, args.state / "models")
    read_adapter(args.adapter.parent, args.adapter.name)
    engine = LocalEngine(LanguageModel(base, adapters=args.adapter.parent))
    encoders = load_encoders(None, None, for_policies=args.policy_tuning)
    judge = Judge(
        LocalRetriever(encoders, IndexSettings()), engine, args.adapter.name, shown=args.shown
    )
    try:
        found: list[list[Asked]] = []
        for pack in (judged.pack, own):
            asked: list[Asked] = []
            for first in range(0, len(judged.dev), _AT_ONCE):
                asked += await ask(judge, judged, judged.dev[first : first + _AT_ONCE], pack)
            found.append(asked)
        return found[0], found[1]
    finally:
        engine.close()


if __name__ == "__main__":
    sys.exit(main())
