"""What a step of tuning for policies compares: a function of the seed and its number.

Some policies with their own words, texts on either side of each, and others from anywhere. Knows
no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.generations import in_brief
from training.judged_texts import JudgedTexts
from training.policy_settings import PolicySettings

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class PolicyEpisode:
    """Texts to compare.

    *Shape:* ``about`` (n_texts, n_policies): which policies a text breaches, or puts in words;
    ``judged`` (n_texts,): not a policy's own words, which neither breach nor comply; ``breaches``
    (n_texts,).
    """

    texts: tuple[str, ...]
    about: Flags
    judged: Flags
    breaches: Flags


class PolicyEpisodes:
    """Draws episodes."""

    def __init__(self, judged: JudgedTexts, settings: PolicySettings) -> None:
        self._settings = settings
        columns = {policy.id: number for number, policy in enumerate(judged.policies)}
        words = [in_brief(policy) for policy in judged.policies]
        self._texts = [*words, *(t.example.text for t in judged.train)]
        self._breaches = np.array([False] * len(words) + [t.breaches for t in judged.train])
        self._near = np.zeros((len(self._texts), len(columns)), np.bool_)
        self._near[: len(words)] = np.eye(len(words), dtype=np.bool_)
        for row, text in enumerate(judged.train, start=len(words)):
            self._near[row, [columns[policy] for policy in text.near]] = True
        weights = np.array([0.0] * len(words) + [t.weight for t in judged.train])
        self._weights = {side: weights * (self._breaches == side) for side in (True, False)}

    def step(self, number: int) -> PolicyEpisode:
        """Return the texts of a step."""
        rng = np.random.default_rng([self._settings.seed, number])
        count = min(self._settings.policies, self._near.shape[1])
        chosen: set[int] = set()
        for policy in rng.choice(self._near.shape[1], count, replace=False):
            chosen.add(int(policy))  # its own words
            for side, most in (
                (True, self._settings.breaching),
                (False, self._settings.contrasting),
            ):
                weights = self._weights[side] * self._near[:, policy]
                chosen |= _drawn(rng, weights > 0, most)
        for side in (True, False):
            chosen |= _drawn(rng, self._weights[side], self._settings.others)
        return self._episode(sorted(chosen))

    def _episode(self, rows: Sequence[int]) -> PolicyEpisode:
        numbers = np.array(rows)
        policies = self._near.shape[1]
        concerned = self._breaches[numbers] | (numbers < policies)
        return PolicyEpisode(
            texts=tuple(self._texts[row] for row in rows),
            about=self._near[numbers] & concerned[:, None],
            judged=numbers >= policies,
            breaches=self._breaches[numbers],
        )


def _drawn(rng: np.random.Generator, weights: npt.NDArray[np.generic], most: int) -> set[int]:
    """Draw at most so many rows by their weights."""
    shares = weights.astype(float)
    able = int((shares > 0).sum())
    if not able:
        return set()
    drawn = rng.choice(len(shares), min(most, able), replace=False, p=shares / shares.sum())
    return set(drawn.tolist())
