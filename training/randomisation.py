"""How often chance alone brings as large a gain: the randomisation test on paired sentences.

Were two systems alike, either's answer to a sentence could as well be the other's. So the answers
are exchanged, sentence by sentence, in every way where there are few that differ, else in many
drawn ways. Knows only counts. Sources: Noreen, Computer-Intensive Methods for Testing Hypotheses,
1989; Yeh, COLING 2000.
"""

from collections.abc import Sequence

import numpy as np

from training.bootstrap import DEFAULT, Floats, Resampling
from wraner.metrics import SpanCounts

_EVERY_WAY = 12  # sentences: 4096 ways
_ROUNDING = 1e-12


def chance_of_gain(
    first: Sequence[SpanCounts], second: Sequence[SpanCounts], resampling: Resampling = DEFAULT
) -> float:
    """Return in what share of exchanges F1(first) - F1(second) is no less than it is; 1: always.

    Raises:
        ValueError: not both have the same number of sentences.
    """
    pairs = list(zip(first, second, strict=True))
    same = _sums([one for one, other in pairs if one == other])
    ours, theirs = (_sums(side, each=True) for side in _apart(pairs))
    if not len(ours):
        return 1.0
    gain = _gain(same, ours.sum(axis=0), theirs.sum(axis=0))
    ways, found = _ways(len(ours), resampling)
    exchanged = ours.sum(axis=0) + ways @ (theirs - ours)
    left = ours.sum(axis=0) + theirs.sum(axis=0) - exchanged
    reached = np.count_nonzero(_gain(same, exchanged, left) >= gain - _ROUNDING)
    return float((reached + found) / (len(ways) + found))


def _apart(
    pairs: Sequence[tuple[SpanCounts, SpanCounts]],
) -> tuple[list[SpanCounts], list[SpanCounts]]:
    changed = [(one, other) for one, other in pairs if one != other]
    return [one for one, _ in changed], [other for _, other in changed]


def _ways(changed: int, resampling: Resampling) -> tuple[Floats, int]:
    """Return the ways, [ways, changed] of 1 where exchanged, and how many stand for what is found.

    It is one of all ways, and none of those that are drawn.
    """
    if changed <= _EVERY_WAY:
        numbers = np.arange(2**changed)[:, None]
        return ((numbers >> np.arange(changed)) & 1).astype(np.float64), 0
    random = np.random.default_rng(resampling.seed)
    return random.integers(0, 2, (resampling.draws, changed)).astype(np.float64), 1


def _sums(sentences: Sequence[SpanCounts], *, each: bool = False) -> Floats:
    """Return the right ones, and found + gold: in all, or of each sentence."""
    rows = np.array([(c.right, c.found + c.gold) for c in sentences], np.float64).reshape(-1, 2)
    return rows if each else np.asarray(rows.sum(axis=0))


def _gain(same: Floats, one: Floats, other: Floats) -> Floats:
    """Return F1(one) - F1(other), each with the sentences that both answer alike."""
    first, second = _f1(same + one), _f1(same + other)
    return np.asarray(first - second)


def _f1(sums: Floats) -> Floats:
    right, both = sums[..., 0], sums[..., 1]
    return np.divide(2 * right, both, out=np.zeros_like(right), where=both > 0)
