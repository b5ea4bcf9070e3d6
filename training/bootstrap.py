"""Intervals of micro-F1 by resampling sentences: the percentile bootstrap.

Sentences are drawn with replacement within each domain, which keeps the mentions of a sentence
together; a difference of two systems is taken on the same drawn sentences. Knows only counts.
Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 13 and 16.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wraner.metrics import SpanCounts

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Resampling:
    """How to resample: so many times, from this seed; `level` is the interval's share of draws."""

    draws: int = 1000
    seed: int = 0
    level: float = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A value on all sentences, and the range that holds the central share of its draws."""

    value: float
    low: float
    high: float


DEFAULT = Resampling()

# Of all draws together, which are held in memory at once, each row in 16 to 64 bytes.
_DRAWN_ROWS = 5_000_000
_FEWEST_DRAWS = 100


def affordable(rows: int) -> Resampling:
    """Return how to resample so many rows: by fewer draws where there are many, which differ less.

    Raises:
        ValueError: there is no row.
    """
    if rows < 1:
        raise ValueError(f"expected at least one row to draw, was: {rows}")
    return Resampling(draws=min(DEFAULT.draws, max(_FEWEST_DRAWS, _DRAWN_ROWS // rows)))


def mean_interval(
    domains: Sequence[Sequence[SpanCounts]], resampling: Resampling = DEFAULT
) -> Interval:
    """Return the mean of the domains' micro-F1, each resampled within itself.

    Raises:
        ValueError: there is no domain, or one without a sentence.
    """
    return _interval([_rows(d) for d in domains], resampling)


def paired_difference(
    first: Sequence[SpanCounts],
    second: Sequence[SpanCounts],
    resampling: Resampling = DEFAULT,
) -> Interval:
    """Return F1(first) - F1(second) of two systems on the same sentences.

    Raises:
        ValueError: the sentences are not the same, or there is none.
    """
    return paired_mean_difference([first], [second], resampling)


def paired_mean_difference(
    first: Sequence[Sequence[SpanCounts]],
    second: Sequence[Sequence[SpanCounts]],
    resampling: Resampling = DEFAULT,
) -> Interval:
    """Return the mean over domains of `paired_difference`. Raises as it does."""
    return _interval([paired_rows(*both) for both in zip(first, second, strict=True)], resampling)


def paired_rows(first: Sequence[SpanCounts], second: Sequence[SpanCounts]) -> Floats:
    """Return of each sentence what `f1_or_difference` takes the sums of. *Shape:* (sentences, 4).

    Raises:
        ValueError: the sentences are not the same.
    """
    if [c.gold for c in first] != [c.gold for c in second]:
        raise ValueError(
            f"expected two systems on the same sentences, was: {len(first)} and {len(second)} "
            "sentences whose gold mentions differ; evaluate both on the same split and sample"
        )
    return np.concatenate([_rows(first), _rows(second)], axis=1)


def _rows(sentences: Sequence[SpanCounts]) -> Floats:
    """Return [sentences, 2]: twice the right ones, and found + gold, whose ratio is F1."""
    rows = [(2 * c.right, c.found + c.gold) for c in sentences]
    return np.array(rows, dtype=np.float64).reshape(-1, 2)


def _interval(domains: Sequence[Floats], resampling: Resampling) -> Interval:
    """Return the mean over domains of F1, or of a difference where rows hold two systems."""
    if not domains or not all(len(rows) for rows in domains):
        raise ValueError("expected at least one sentence in each domain, was: none; name more")
    random = np.random.default_rng(resampling.seed)
    drawn = np.zeros(resampling.draws)
    for rows in domains:
        size = len(rows)
        # How often each sentence is drawn says all that which ones are drawn in turn would.
        times = random.multinomial(size, np.full(size, 1 / size), size=resampling.draws)
        drawn += f1_or_difference(times @ rows) / len(domains)
    value = sum(float(f1_or_difference(rows.sum(axis=0))) for rows in domains) / len(domains)
    tail = (1 - resampling.level) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail])
    return Interval(value, float(low), float(high))


def f1_or_difference(sums: Floats) -> Floats:
    """Return F1 of sums [..., 2], or F1(first) - F1(second) of sums [..., 4]."""
    right, both = sums[..., 0::2], sums[..., 1::2]
    f1 = np.divide(right, both, out=np.zeros_like(right), where=both > 0)
    return np.asarray(f1[..., 0] - f1[..., 1] if f1.shape[-1] == 2 else f1[..., 0])
