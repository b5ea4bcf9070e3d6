"""Texts on both sides of a policy, drawn evenly, so that a topic alone tells nothing.

Where a corpus has a hundred breaches of one policy and ten texts that come near to it, and of
another the reverse, a learner that sees texts as often as they are there learns which topics are
mostly breaches. Knows no model.
"""

from collections.abc import Sequence

import numpy as np

from training.judged_texts import TaughtText

Rng = np.random.Generator


class EvenDraws:
    """Draws pairs: a text that breaches a policy, and one that was collected for it and does not.

    A policy is drawn by the geometric mean of both sides' numbers, so one with a side alone never,
    and a text of its side by the text's weight.
    """

    def __init__(self, texts: Sequence[TaughtText]) -> None:
        policies = sorted({policy for text in texts for policy in text.near})
        weights = np.array([text.weight for text in texts])
        near = np.array([[p in text.near for text in texts] for p in policies])
        breaches = np.array([text.breaches for text in texts])
        self._sides = [near & breaches, near & ~breaches]
        self._weights = weights
        counts = np.array([side.sum(axis=1) for side in self._sides])
        self._policies = np.sqrt(counts.prod(axis=0))
        self._policies /= max(1.0, self._policies.sum())

    def pairs(self, rng: Rng, count: int) -> list[tuple[int, int]]:
        """Return so many pairs of places in the texts; none where no policy has both sides."""
        if not self._policies.any():
            return []
        drawn = rng.choice(len(self._policies), count, p=self._policies)
        return [(self._one(rng, 0, policy), self._one(rng, 1, policy)) for policy in drawn]

    def _one(self, rng: Rng, side: int, policy: int) -> int:
        weights = self._weights * self._sides[side][policy]
        return int(rng.choice(len(weights), p=weights / weights.sum()))
