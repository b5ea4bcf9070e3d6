"""How far scores can be trusted: calibration, and what is gained by deciding less often.

The calibration error is the mean distance of score and truth over ten bins that hold equally many
cases. Risk-coverage: the share of failures among those cases that lie farthest from the threshold.
Knows no report. Sources: Naeini et al., AAAI 2015; Geifman and El-Yaniv, NeurIPS 2017.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from training.moderation_cases import Case

_BINS = 10
_STEPS = 20


class Scored(Protocol):
    """What has a score and is hateful or not."""

    @property
    def score(self) -> float:
        """From 0 to 1."""

    @property
    def hateful(self) -> bool:
        """The truth."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Cases of like scores: the mean score, the share that is hateful, and how many they are."""

    score: float
    hateful: float
    cases: int


@dataclass(frozen=True, slots=True)
class Covered:
    """The share of failures (`risk`) among the surest cases, which are this share (`coverage`)."""

    coverage: float
    risk: float


def score_bins(cases: Sequence[Scored]) -> tuple[Bin, ...]:
    """Return up to ten bins of equally many cases, lowest scores first."""
    scores = np.array([c.score for c in cases])
    hateful = _level([c.score for c in cases], [c.hateful for c in cases])
    ranked = np.argsort(scores, kind="stable")
    cuts = np.linspace(0, len(ranked), _BINS + 1).round().astype(int)
    parts = [ranked[start:end] for start, end in pairwise(cuts) if end > start]
    return tuple(
        Bin(float(scores[part].mean()), float(hateful[part].mean()), len(part)) for part in parts
    )


def calibration_error(bins: Sequence[Bin]) -> float | None:
    """Return the mean distance of score and share over bins; None without cases."""
    cases = sum(b.cases for b in bins)
    return sum(b.cases * abs(b.score - b.hateful) for b in bins) / cases if cases else None


def alike_calibration_error(cases: Sequence[Scored]) -> float | None:
    """Return the same where hateful cases and others weigh alike; None without either.

    What was fitted so that every second text breaches something is measured as if it did, however
    many do of the texts at hand.
    """
    scores = np.array([c.score for c in cases])
    truths = np.array([c.hateful for c in cases], dtype=bool)
    hateful = int(truths.sum())
    if not 0 < hateful < len(cases):
        return None
    weights = np.where(truths, 0.5 / hateful, 0.5 / (len(cases) - hateful))
    shares = _level([c.score for c in cases], truths, weights)
    ranked = np.argsort(scores, kind="stable")
    ends = np.cumsum(weights[ranked]) * _BINS
    bins = np.minimum(np.ceil(ends - 1e-9).astype(int), _BINS)
    off = (weights * (scores - shares))[ranked]
    return float(sum(abs(off[bins == b].sum()) for b in range(1, _BINS + 1)))


def score_coverage(cases: Sequence[Case], threshold: float) -> tuple[Covered, ...]:
    """Return the risk at each twentieth of the cases, the surest first."""
    distances = [abs(c.score - threshold) for c in cases]
    surest = np.argsort(-np.array(distances), kind="stable")
    failures = np.cumsum(_level(distances, [c.wrong for c in cases])[surest])
    ends = np.unique(np.linspace(0, len(surest), _STEPS + 1).round().astype(int)[1:])
    return tuple(
        Covered(float(end / len(surest)), float(failures[end - 1] / end)) for end in ends if end
    )


def _level(
    values: Sequence[float],
    truths: Sequence[bool] | npt.NDArray[np.bool_],
    weights: npt.NDArray[np.float64] | None = None,
) -> npt.NDArray[np.float64]:
    """Return for each case the mean truth of those of its value: the order of ties says nothing."""
    _, place = np.unique(np.array(values), return_inverse=True)
    each = np.ones(len(place)) if weights is None else weights
    true = np.bincount(place, each * np.array(truths, dtype=float))
    return np.asarray((true / np.bincount(place, each))[place])
