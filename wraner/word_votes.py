"""Word votes: what the tagged words nearest to each word of a text say of it.

As kNN-LM (Khandelwal et al. 2020) lets the nearest contexts vote for the next token, the words of
tagged examples vote for how a word is tagged. `index.word_votes` counts the votes, `wraner.tagging`
reads them as entities. Knows no vector and no language model.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from wraner.entities import Span

Shares = npt.NDArray[np.float64]

OUTSIDE = 0
"""The column of words that belong to no entity."""


def begins(labels: int) -> slice:
    """Return the columns of the first words of entities, one for each of so many labels."""
    return slice(1, 1 + labels)


def insides(labels: int) -> slice:
    """Return the columns of the later words of entities, one for each of so many labels."""
    return slice(1 + labels, 1 + 2 * labels)


@dataclass(frozen=True, slots=True, eq=False)
class Habits:
    """How tags stand in the examples, whatever their labels: outside, beginning, inside.

    *Shape:* ``prior`` (3,) shares of all words and ends of texts, an end counting as one more word
    outside; ``following`` (3, 3) shares of what comes after each, an end being outside there too.
    """

    prior: Shares
    following: Shares


@dataclass(frozen=True, slots=True, eq=False)
class WordVotes:
    """Each word's votes, and what they rest on.

    `words` are all chunks of the text, `labels` those that occur in the examples, `mentions` how
    often each does, `examples` how many there are. *Shape:* ``shares`` (n_words, 1 + 2 * n_labels):
    outside, then the beginning of each label, then the inside of each; rows sum to 1.
    """

    words: tuple[Span, ...]
    labels: tuple[str, ...]
    shares: Shares
    habits: Habits
    examples: int
    mentions: tuple[int, ...]

    def only(self, labels: Collection[str]) -> "WordVotes":
        """Return the votes with only these labels; what the others had counts as outside."""
        asked = [name in labels for name in self.labels]
        columns = np.array([True, *asked, *asked])
        shares = self.shares[:, columns].copy()
        shares[:, OUTSIDE] += self.shares[:, ~columns].sum(axis=1)
        kept = [n for n, is_asked in enumerate(asked) if is_asked]
        return replace(
            self,
            labels=tuple(self.labels[n] for n in kept),
            shares=shares,
            mentions=tuple(self.mentions[n] for n in kept),
        )
