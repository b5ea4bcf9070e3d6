"""Pseudo-types: a type's mentions parted by what an untuned encoder finds alike in them.

An encoder that is taught coarse types only forgets what it knew beyond them, and a domain may ask
for just that. Knows no model and no sentences.
"""

import numpy as np

from index.encoder import Floats, unit_rows
from index.similarity import Ints

FEWEST_MENTIONS = 8
"""Types with fewer mentions stay whole."""

_MOST_GROUPS = 3
_ROUNDS = 3  # of k-means; it is to vary, not to converge


def drawn_types(mention_types: Ints, probability: float, *, rng: np.random.Generator) -> Ints:
    """Draw the types to split, in ascending order, each with some probability.

    *Shape:* ``mention_types`` (n_mentions,).
    """
    types, counts = np.unique(mention_types, return_counts=True)
    drawn: Ints = types[(rng.random(len(types)) < probability) & (counts >= FEWEST_MENTIONS)]
    return drawn


def grouped(points: Floats, rng: np.random.Generator) -> Ints:
    """Part unit vectors into 2 or 3 groups by k-means; return each one's group, from 0.

    *Shape:* ``points`` (n, width) to (n,).
    """
    count = int(rng.integers(2, _MOST_GROUPS + 1))
    centres = points[rng.choice(len(points), count, replace=False)]
    for _ in range(_ROUNDS):
        groups: Ints = (points @ centres.T).argmax(axis=1)
        sums = np.zeros_like(centres)
        np.add.at(sums, groups, points)
        centres = np.where(sums.any(axis=1, keepdims=True), unit_rows(sums), centres)
    return groups
