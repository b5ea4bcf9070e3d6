"""What a judge in training answers beside what the index finds, fused as in serving.

A text is asked about whole, and about the policies that the index puts first. Scores are by what
was fitted to the other texts of ten folds, see `fusion_fit`. Knows no judge's training.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from index.encoders import load_encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from training.fusion_fit import cross_fitted, score_of
from training.judge_answers import Asked
from training.judge_examination import Ask
from training.judged_texts import JudgedSettings, JudgedTexts, TaughtText
from training.policy_settings import read_policy_settings
from training.tune_policies import tune_on
from wraner import packs
from wraner.fusion import SHORTLIST
from wraner.metrics import auroc, failure_rates
from wraner.packs import PolicySet
from wraner.prompts import render_judgement, render_overall
from wraner.retrieval import PackRef, Retriever

_CONFIG = Path(__file__).parent / "configs" / "policies.yaml"
_TUNING = Path("adapters/policies")
_SIDES = 2  # examples a side: policies rank by the nearest two


@dataclass(frozen=True, slots=True)
class Fused:
    """AUROC of the texts' scores, and the share of texts on the wrong side of .5."""

    auroc: float
    wrong: float


def retriever_for(judged: JudgedTexts, texts: JudgedSettings, state: Path) -> Retriever:
    """Return what finds the taught texts; its encoder was tuned without those that are asked.

    For far texts it is tuned now, once; the tuning is kept in `state`, under what it is made of.
    """
    tuning = _TUNING
    if texts.far is not None:
        settings = read_policy_settings(_CONFIG)
        made_of = [settings.model_dump_json(), *(t.example.text for t in judged.train)]
        digest = hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:16]
        tuning = state / "training" / f"policies-far-{digest}"
        if not tuning.exists():
            tune_on(judged, settings, tuning, console=Console(stderr=True))
    encoders = load_encoders(None, None, for_policies=tuning)
    return LocalRetriever(encoders, IndexSettings())


def fused(asked: Sequence[Asked], pack: PolicySet) -> Fused:
    """Return how well texts are told by what was answered and found."""
    tiers = {p.id: p.tier for p in pack.policies}
    fusions = cross_fitted(asked, tiers, hears="leaning")
    scores = [score_of(a, f) for a, f in zip(asked, fusions, strict=True)]
    breach = [a.text.breaches for a in asked]
    return Fused(auroc(breach, scores), failure_rates(breach, [s >= 0.5 for s in scores]).overall)


def unheard(asked: Sequence[Asked]) -> list[Asked]:
    """Return the same answers, beside which the index says nothing of breaches.

    Which policies are judged it still says.
    """
    return [
        replace(
            a,
            evidence=replace(a.evidence, leaning=0.0),
            judged=tuple((replace(e, leaning=0.0, definition=0.0), x) for e, x in a.judged),
        )
        for a in asked
    ]


def ask_with_index(
    ask: Ask, pack: PolicySet, texts: Sequence[TaughtText], retriever: Retriever
) -> list[Asked]:
    """Return the answers about the whole of `pack` and a shortlist, with the index's evidence.

    The pack's examples are what the index finds, and stand in no question.
    """
    words = [t.example.text for t in texts]
    ref = PackRef(packs.version(pack), inline=pack)
    found = asyncio.run(retriever.evidence(ref, words, _SIDES))
    policies = {p.id: p for p in pack.policies}
    short = [e.policies[:SHORTLIST] for e in found]
    questions = [
        render_judgement(policies[e.policy], [], text)
        for text, ranked in zip(words, short, strict=True)
        for e in ranked
    ]
    answers = iter(ask(questions))
    whole = ask([render_overall(pack, text) for text in words])
    return [
        Asked(text, evidence, tuple((e, next(answers)) for e in ranked), overall)
        for text, evidence, ranked, overall in zip(texts, found, short, whole, strict=True)
    ]
