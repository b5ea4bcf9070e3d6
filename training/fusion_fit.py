"""The fit of a fusion: logistic regressions over what was answered and found about judged texts.

One gives a policy's score, another that of the whole text, both sides weighing alike, so that a
score is a probability where every second text breaches something. The weight of the number of
judged policies is fitted last, and changes nothing at `SHORTLIST`. Knows no model and no index.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar

from training.judge_answers import Asked
from training.judged_texts import TaughtText
from wraner.fusion import (
    SHORTLIST,
    Fusion,
    VerdictFusion,
    log_odds,
    nearest_definition,
    within_reach,
)

Floats = npt.NDArray[np.float64]
Tiers = Mapping[str, int | None]
Hears = Literal["leaning", "definition", "words", "wordings"]
"""What is heard. A policy's score hears how the text leans by whole texts and, with `words` and
`wordings`, by words; with the latter also how near it lies to what the policy says, by an untuned
encoder. The whole text's hears the judge's answer about the set beside how the text leans, or
beside the nearest policy's words; with `words` and `wordings` the surest policy alone."""
_RIDGE = 1e-3
_NUMBERS = (1, 2, 3, 5, 10, 20)
_WEIGHTS = ("judge", "leaning", "word_leaning", "definition", "wording", "case", "bias")


def fitted(asked: Sequence[Asked], tiers: Tiers, *, hears: Hears) -> Fusion:
    """Return the fusion that fits what was asked; `tiers` are those of all policies.

    Only `SHORTLIST` policies a text count, but for the weight of their number, which is fitted to
    the texts of which more were judged.
    """
    short = [a.among(SHORTLIST) for a in asked]
    policies = _fitted_to_policies(short, tiers, hears)
    fusion = _with_verdict(policies, short, hears)
    return _numbered(fusion, [a for a in asked if len(a.judged) > SHORTLIST])


def _fitted_to_policies(asked: Sequence[Asked], tiers: Tiers, hears: Hears) -> Fusion:
    """Return the weights of a policy's score."""
    rows, breach, share = [], [], []
    for a in asked:
        for e, logit in a.judged:
            truth = _truth(a.text, e.policy, tiers)
            if truth is not None:
                words = within_reach(e.word_leaning) if hears in ("words", "wordings") else 0.0
                told = (e.wording, e.case) if hears == "wordings" else (0.0, 0.0)
                rows.append((logit, within_reach(e.leaning), words, e.definition, *told))
                breach.append(truth)
                share.append(a.text.weight)
    judge, leaning, words, definition, wording, case, bias = logistic(
        np.array(rows), np.array(breach), np.array(share)
    )
    return Fusion(
        judge=judge,
        margin=0.0,
        leaning=leaning,
        word_leaning=words,
        definition=definition,
        wording=wording,
        case=case,
        bias=bias,
        calibrated=True,
    )


def fitted_to_new_sets(
    shown_examples: Sequence[Asked],
    bare: Sequence[Asked],
    tiers: Tiers,
    *,
    hears: Hears,
) -> Fusion:
    """Return what fits new sets with their examples, and as its `bare` by their words alone.

    Where it hears `wordings`, a policy's weights lie halfway between both: examples of one set of
    house rules say a breach otherwise than those of the next, so that on sets that were not fitted
    to, half of what they weigh errs less (training/LOG.md, 2026-11-27).
    """
    asked, asked_bare = ([a.among(SHORTLIST) for a in some] for some in (shown_examples, bare))
    policies = _fitted_to_policies(asked, tiers, hears)
    by_words = fitted(asked_bare, tiers, hears=hears)
    if hears == "wordings":
        policies = _halfway(policies, by_words)
    return _with_verdict(policies, asked, hears).model_copy(update={"bare": by_words})


def _halfway(one: Fusion, other: Fusion) -> Fusion:
    weights = {name: (getattr(one, name) + getattr(other, name)) / 2 for name in _WEIGHTS}
    return one.model_copy(update=weights)


def cross_fitted(
    asked: Sequence[Asked], tiers: Tiers, *, hears: Hears, folds: int = 10
) -> list[Fusion]:
    """Return for each text what is fitted to the others."""
    parts = [
        fitted([a for i, a in enumerate(asked) if i % folds != fold], tiers, hears=hears)
        for fold in range(folds)
    ]
    return [parts[i % folds] for i in range(len(asked))]


def score_of(asked: Asked, fusion: Fusion) -> float:
    """Return a text's score."""
    assert fusion.verdict is not None
    policies = tuple(fusion.score(logit, e) for e, logit in asked.judged)
    return fusion.verdict.score(asked.overall, asked.evidence, policies)


def _with_verdict(policy: Fusion, asked: Sequence[Asked], hears: Hears) -> Fusion:
    """Return a fusion with weights of the whole text's score beside those of a policy's."""
    strongest = [max(policy.score(logit, e) for e, logit in a.judged) for a in asked]
    heard: dict[str, Floats] = {"strongest": np.array([log_odds(score) for score in strongest])}
    if hears in ("leaning", "definition"):
        heard["overall"] = np.array([a.overall for a in asked])
    if hears == "leaning":
        heard["leaning"] = np.array([within_reach(a.evidence.leaning) for a in asked])
    if hears == "definition":
        heard["definition"] = np.array([nearest_definition(a.evidence) for a in asked])
    *weights, bias = logistic(
        np.stack(list(heard.values()), axis=1),
        np.array([a.text.breaches for a in asked]),
        np.array([a.text.weight for a in asked]),
    )
    unheard = {"overall": 0.0, "leaning": 0.0}
    verdict = VerdictFusion(bias=bias, **{**unheard, **dict(zip(heard, weights, strict=True))})
    return policy.model_copy(update={"verdict": verdict})


def _numbered(fusion: Fusion, asked: Sequence[Asked]) -> Fusion:
    """Return a fusion that hears how many policies were judged: here 1, 2, 5, ... or all."""
    if not asked:
        return fusion
    cases = [
        (a, n) for a in asked for n in sorted({*_NUMBERS, len(a.judged)}) if n <= len(a.judged)
    ]
    odds = np.array([log_odds(score_of(a.among(n), fusion)) for a, n in cases])
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

    weights = [float(w) for w in minimize(loss, np.zeros(x.shape[1])).x]
    if not np.isfinite(loss(np.array(weights))):
        raise ValueError("expected finite rows, was: some that are not; weights cannot be fitted")
    return weights


def _alike(breach: npt.NDArray[np.bool_], share: Floats) -> Floats:
    """Return weights by which both sides weigh a half."""
    return np.asarray(
        np.where(breach, share / share[breach].sum(), share / share[~breach].sum()) / 2
    )


def _truth(text: TaughtText, policy: str, tiers: Tiers) -> bool | None:
    """Return whether a text breaches a policy; None where nobody says and it may well."""
    if policy in text.example.violates:
        return True
    away = not text.breaches or all(tiers[p] != tiers[policy] for p in text.near)
    return False if away or text.example.keeps(policy) else None
