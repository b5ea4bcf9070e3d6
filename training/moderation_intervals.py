"""Intervals of shares and of AUROC by resampling texts: the percentile bootstrap.

Everything that belongs to one text is drawn together. Knows neither rows nor systems.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from training.bootstrap import DEFAULT, Interval, Resampling

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def share_interval(
    texts: Sequence[str],
    *,
    part: Sequence[float],
    whole: Sequence[float],
    resampling: Resampling = DEFAULT,
) -> Interval | None:
    """Return sum(part) / sum(whole); the three run side by side. None where the whole is 0."""
    if not sum(whole):
        return None
    number = _numbers(texts)
    by_text = np.stack([np.bincount(number, part), np.bincount(number, whole)])
    drawn = (_draws(by_text.shape[1], resampling) @ by_text.T).T
    shares = np.divide(drawn[0], drawn[1], out=np.full(len(drawn[0]), np.nan), where=drawn[1] > 0)
    return _interval(sum(part) / sum(whole), shares, resampling)


def auroc_interval(
    texts: Sequence[str],
    *,
    positive: Sequence[bool],
    scores: Sequence[float],
    resampling: Resampling = DEFAULT,
) -> Interval | None:
    """Return the chance that a positive case scores above a negative one; ties count half.

    None where one of the two classes has no case.
    """
    is_positive = np.array(positive, dtype=bool)
    if is_positive.all() or not is_positive.any():
        return None
    order = np.argsort(scores, kind="stable")
    ranked = np.array(scores)[order]
    starts = np.flatnonzero(np.r_[True, ranked[1:] != ranked[:-1]])
    number = _numbers(texts)[order]
    drawn = _draws(int(number.max()) + 1, resampling)[:, number]
    times = np.concatenate([np.ones((1, len(ranked))), drawn])
    ups = np.add.reduceat(times * is_positive[order], starts, axis=1)
    downs = np.add.reduceat(times * ~is_positive[order], starts, axis=1)
    below = np.cumsum(downs, axis=1) - downs / 2
    pairs = ups.sum(axis=1) * downs.sum(axis=1)
    wins = (ups * below).sum(axis=1)
    areas = np.divide(wins, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return _interval(float(areas[0]), areas[1:], resampling)


def _numbers(texts: Sequence[str]) -> Ints:
    """Return a number for each case, the same where the text is."""
    first = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    return np.array([first[text] for text in texts], dtype=np.int64)


@lru_cache(maxsize=6)
def _draws(size: int, resampling: Resampling) -> Doubles:
    """Return [draws, texts]: how often each text is drawn; the systems share what is drawn."""
    random = np.random.default_rng(resampling.seed)
    times = random.multinomial(size, np.full(size, 1 / size), size=resampling.draws)
    return times.astype(np.float64)


def _interval(value: float, drawn: Doubles, resampling: Resampling) -> Interval:
    tail = (1 - resampling.level) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail])
    return Interval(value, float(low), float(high))
