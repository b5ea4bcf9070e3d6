"""The fit of a fusion: logistic regressions over what was answered and found about judged texts.

One gives a policy's score, another that of the whole text, both sides weighing alike, so that a
score is a probability where every second text breaches something. The weight of the number of
judged policies is fitted last, and changes nothing at `SHORTLIST`. Knows no model and no index.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar

from training.judged_texts import JudgedTexts, TaughtText
from wraner.fusion import SHORTLIST, Fusion, VerdictFusion, nearest_definition, within_reach
from wraner.retrieval import Evidence, PolicyEvidence

Floats = npt.NDArray[np.float64]
_RIDGE = 1e-3
_NUMBERS = (1, 2, 3, 5, 10, 20)


@dataclass(frozen=True, slots=True)
class Asked:
    """One text with what was found and answered.

    `judged` are its policies with their logits, the index's first one first: `SHORTLIST`, or all.
    """

    text: TaughtText
    evidence: Evidence
    judged: tuple[tuple[PolicyEvidence, float], ...]
    overall: float

    def among(self, number: int) -> "Asked":
        """Return it as if so many policies had been judged."""
        return replace(self, judged=self.judged[:number])


def fitted(
    asked: Sequence[Asked], judged: JudgedTexts, *, shown: bool, few: bool = False
) -> Fusion:
    """Return the fusion that fits what was asked; of `few` examples the text's score hears less.

    Only `SHORTLIST` policies a text count, but for the weight of their number, which is fitted to
    the texts of which more were judged.
    """
    tiers = {p.id: p.tier for p in judged.policies}
    short = [a.among(SHORTLIST) for a in asked]
    rows, breach, share = [], [], []
    for a in short:
        for e, logit in a.judged:
            truth = _truth(a.text, e.policy, tiers)
            if truth is not None:
                rows.append((logit, within_reach(e.leaning), e.definition))
                breach.append(truth)
                share.append(a.text.weight)
    judge, leaning, definition, bias = logistic(np.array(rows), np.array(breach), np.array(share))
    policy = Fusion(
        judge=judge,
        margin=0.0,
        leaning=leaning,
        definition=definition,
        bias=bias,
        examples_shown=shown,
        calibrated=True,
    )
    fusion = policy.model_copy(update={"verdict": _verdict(short, policy, few=few)})
    return _numbered(fusion, [a for a in asked if len(a.judged) > SHORTLIST])


def cross_fitted(
    asked: Sequence[Asked],
    judged: JudgedTexts,
    *,
    shown: bool,
    few: bool = False,
    folds: int = 10,
) -> list[Fusion]:
    """Return for each text what is fitted to the others."""
    parts = [
        fitted([a for i, a in enumerate(asked) if i % folds != fold], judged, shown=shown, few=few)
        for fold in range(folds)
    ]
    return [parts[i % folds] for i in range(len(asked))]


def score_of(asked: Asked, fusion: Fusion) -> float:
    """Return a text's score."""
    assert fusion.verdict is not None
    policies = tuple(fusion.score(logit, e) for e, logit in asked.judged)
    return fusion.verdict.score(asked.overall, asked.evidence, policies)


def _verdict(asked: Sequence[Asked], policy: Fusion, *, few: bool) -> VerdictFusion:
    scores = [tuple(policy.score(logit, e) for e, logit in a.judged) for a in asked]
    strongest = np.array([max(s) for s in scores])
    found = [
        nearest_definition(a.evidence) if few else within_reach(a.evidence.leaning) for a in asked
    ]
    overall, heard, most, bias = logistic(
        np.stack([[a.overall for a in asked], found, np.log(strongest / (1 - strongest))], axis=1),
        np.array([a.text.breaches for a in asked]),
        np.array([a.text.weight for a in asked]),
    )
    leaning, definition = (0.0, heard) if few else (heard, 0.0)
    return VerdictFusion(
        overall=overall,
        leaning=leaning,
        definition=definition,
        strongest=most,
        bias=bias,
    )


def _numbered(fusion: Fusion, asked: Sequence[Asked]) -> Fusion:
    """Return a fusion that hears how many policies were judged: here 1, 2, 5, ... or all."""
    if not asked:
        return fusion
    cases = [
        (a, n) for a in asked for n in sorted({*_NUMBERS, len(a.judged)}) if n <= len(a.judged)
    ]
    scores = np.array([score_of(a.among(n), fusion) for a, n in cases])
    odds = np.log(scores / (1 - scores))
    number = np.log(np.array([n for _, n in cases]) / SHORTLIST)
    breach = np.array([a.text.breaches for a, _ in cases])
    weigh = _alike(breach, np.array([a.text.weight for a, _ in cases]))

    def loss(w: float) -> float:
        signed = (odds + w * number) * np.where(breach, 1, -1)
        return float((weigh * np.logaddexp(0, -signed)).sum() + _RIDGE * w**2)

    return with_number(fusion, float(minimize_scalar(loss).x))


def with_number(fusion: Fusion, weight: float) -> Fusion:
    """Return a fusion whose verdict weighs so how many policies were judged."""
    assert fusion.verdict is not None
    verdict = fusion.verdict.model_copy(update={"number": weight})
    return fusion.model_copy(update={"verdict": verdict})


def logistic(rows: Floats, breach: npt.NDArray[np.bool_], share: Floats) -> list[float]:
    """Return [weights..., bias] of a logistic regression in which both sides weigh alike.

    *Shape:* rows (n, features); ``share`` (n,) is how much each row counts within its side.
    """
    x, y = np.c_[rows, np.ones(len(rows))], breach.astype(float)
    weigh = _alike(breach, share)

    def loss(w: Floats) -> float:
        signed = (x @ w) * (2 * y - 1)
        return float((weigh * np.logaddexp(0, -signed)).sum() + _RIDGE * (w[:-1] ** 2).sum())

    return [float(w) for w in minimize(loss, np.zeros(x.shape[1])).x]


def _alike(breach: npt.NDArray[np.bool_], share: Floats) -> Floats:
    """Return weights by which both sides weigh a half."""
    return np.asarray(
        np.where(breach, share / share[breach].sum(), share / share[~breach].sum()) / 2
    )


def _truth(text: TaughtText, policy: str, tiers: dict[str, int | None]) -> bool | None:
    """Return whether a text breaches a policy; None where nobody says and it may well."""
    if policy in text.example.violates:
        return True
    if not text.breaches or all(tiers[p] != tiers[policy] for p in text.near):
        return False
    return None
