"""How often chance alone brings as large a gain: the randomisation test on paired sentences.

Were two systems alike, either's answer to a sentence could as well be the other's. So the answers
are exchanged, sentence by sentence, in every way where there are few that differ, else in many
drawn ways. Knows only counts. Sources: Noreen, Computer-Intensive Methods for Testing Hypotheses,
1989; Yeh, COLING 2000.
"""

from collections.abc import Sequence

import numpy as np

from training.bootstrap import DEFAULT, Floats, Resampling, f1_or_difference, paired_rows
from wraner.metrics import SpanCounts

_EVERY_WAY = 12  # sentences: 4096 ways
_ROUNDING = 1e-12


def chance_of_gain(
    first: Sequence[SpanCounts], second: Sequence[SpanCounts], resampling: Resampling = DEFAULT
) -> float:
    """Return in what share of exchanges F1(first) - F1(second) is no less than it is; 1: always.

    Raises:
        ValueError: the sentences are not the same.
    """
    rows = paired_rows(first, second)
    exchanges = np.roll(rows, 2, axis=1) - rows
    exchanges = exchanges[exchanges.any(axis=1)]
    total = rows.sum(axis=0)
    ways, found = _ways(len(exchanges), resampling)
    gains = f1_or_difference(total + ways @ exchanges)
    reached = np.count_nonzero(gains >= f1_or_difference(total) - _ROUNDING)
    return float((reached + found) / (len(ways) + found))


def _ways(changed: int, resampling: Resampling) -> tuple[Floats, int]:
    """Return the ways, [ways, changed] of 1 where exchanged, and how many stand for what is found.

    It is one of all ways, and none of those that are drawn.
    """
    if changed <= _EVERY_WAY:
        numbers = np.arange(2**changed)[:, None]
        return ((numbers >> np.arange(changed)) & 1).astype(np.float64), 0
    random = np.random.default_rng(resampling.seed)
    return random.integers(0, 2, (resampling.draws, changed)).astype(np.float64), 1
