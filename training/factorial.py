"""Sixteen runs that tell the effects of up to eight factors, each at two levels.

The design is the 2^(8-4) of resolution IV (Box, Hunter & Hunter, Statistics for Experimenters,
table 6.22): the first four factors take all 16 combinations, the others are E = BCD, F = ACD,
G = ABC, H = ABD. Every factor's effect is free of every other's and of all interactions of two;
those are mixed with each other, in seven contrasts. Where most of these are nothing but chance,
they tell how far chance reaches. Knows no factor's meaning.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from statistics import fmean, median

from scipy.special import stdtrit

RUNS, MOST_FACTORS = 16, 8

Levels = tuple[int, ...]
"""A run's level of each factor: -1 low, 1 high."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What a response says.

    An effect is the response's mean over the runs at the high level less that at the low; `others`
    are the effects of the contrasts that are no factor's.
    """

    mean: float
    factors: tuple[float, ...]
    others: tuple[float, ...]

    @property
    def standard_error(self) -> float:
        """An effect's standard error, if all `others` are chance."""
        return math.sqrt(fmean(e**2 for e in self.others))

    @property
    def pseudo_standard_error(self) -> float:
        """Lenth's (1989): it needs only few of all effects to be other than chance."""
        sizes = [abs(e) for e in (*self.factors, *self.others)]
        limit = 2.5 * 1.5 * median(sizes)
        return 1.5 * median([s for s in sizes if s <= limit])

    @property
    def margin(self) -> float:
        """How far a single effect of nothing strays in 95 of 100 screens, after Lenth."""
        freedom = (len(self.factors) + len(self.others)) / 3
        return float(stdtrit(freedom, 0.975)) * self.pseudo_standard_error


def design(factors: int) -> tuple[Levels, ...]:
    """Return the runs in standard order.

    Raises:
        ValueError: there are no factors or more than eight.
    """
    if not 1 <= factors <= MOST_FACTORS:
        raise ValueError(f"expected 1 to {MOST_FACTORS} factors, was: {factors}")
    return tuple(
        (a, b, c, d, b * c * d, a * c * d, a * b * c, a * b * d)[:factors]
        for d, c, b, a in product((-1, 1), repeat=4)
    )


def effects(responses: Sequence[float], *, factors: int) -> Effects:
    """Return the effects of `factors` factors on a response of each run, in the design's order.

    Raises:
        ValueError: there is not one response a run.
    """
    if len(responses) != RUNS:
        raise ValueError(f"expected {RUNS} responses, was: {len(responses)}")
    own = list(zip(*design(factors), strict=True))
    return Effects(
        fmean(responses),
        tuple(_effect(column, responses) for column in own),
        tuple(_effect(column, responses) for column in _contrasts() if column not in own),
    )


def _effect(column: Sequence[int], responses: Sequence[float]) -> float:
    return sum(c * r for c, r in zip(column, responses, strict=True)) / (RUNS / 2)


def _contrasts() -> list[Levels]:
    """Return all 15 columns that are at right angles to each other and to the mean."""
    whole = list(zip(*design(4), strict=True))
    return [
        tuple(map(math.prod, zip(*chosen, strict=True)))
        for size in range(1, 5)
        for chosen in combinations(whole, size)
    ]
