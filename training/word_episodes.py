"""What a step of a word encoder's tuning compares: an episode, a function of seed and step alone.

Sentences of one source are drawn, with the tags of their words. Some types' mentions are parted
into pseudo-types. Knows no weights: untuned word vectors are asked of whoever has them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from index.encoder import Floats, unit_rows
from index.similarity import Ints
from training.word_sentences import WordSentence
from training.word_settings import WordSettings
from training.word_splits import drawn_types, grouped
from wraner.word_votes import OUTSIDE

Embed = Callable[[Sequence[WordSentence]], Floats]
"""Gives the untuned unit vectors of all words of some sentences, (n_words, width)."""


@dataclass(frozen=True, slots=True)
class WordSupply:
    """A source's sentences, how many types they tag, and how often it is drawn, as a weight."""

    name: str
    sentences: tuple[WordSentence, ...]
    types: int
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """Sentences and the tags of their words: equal where words are of one (pseudo-)type.

    *Shape:* ``tags`` (n_words,), sentence after sentence.
    """

    source: str
    sentences: tuple[WordSentence, ...]
    tags: Ints


class Episodes:
    """Draws episodes from sources."""

    def __init__(
        self, supplies: Sequence[WordSupply], settings: WordSettings, *, untuned: Embed
    ) -> None:
        self._supplies = tuple(supplies)
        weights = np.array([s.weight for s in supplies])
        self._shares = weights / weights.sum()
        self._settings = settings
        self._untuned = untuned

    def step(self, number: int) -> Episode:
        """Return what step `number` compares."""
        rng = np.random.default_rng([self._settings.seed, number])
        supply = self._supplies[int(rng.choice(len(self._supplies), p=self._shares))]
        size = min(self._settings.sentences, len(supply.sentences))
        drawn = rng.choice(len(supply.sentences), size, replace=False)
        sentences = tuple(supply.sentences[i] for i in drawn)
        return Episode(supply.name, sentences, self._tags(sentences, supply.types, rng))

    def _tags(
        self, sentences: Sequence[WordSentence], types: int, rng: np.random.Generator
    ) -> Ints:
        """Return the words' tags; each group of a split type has tags of its own."""
        tags = np.concatenate([s.tags for s in sentences])
        words = np.flatnonzero(tags != OUTSIDE)
        mentions, of_word = np.unique(_numbered(sentences)[words], return_inverse=True)
        type_of = np.zeros(len(mentions), np.int64)
        type_of[of_word] = (tags[words] - 1) % types
        chosen = drawn_types(type_of, self._settings.split_types, rng=rng)
        if not len(chosen):
            return tags
        points = _means(self._untuned(sentences)[words], of_word, len(mentions))
        groups = np.zeros(len(mentions), np.int64)
        for kind in chosen:
            own = np.flatnonzero(type_of == kind)
            groups[own] = grouped(points[own], rng)
        tags[words] += groups[of_word] * (1 + 2 * types)
        return tags


def _numbered(sentences: Sequence[WordSentence]) -> Ints:
    """Return the words' mentions, numbered through all sentences. *Shape:* (n_words,)."""
    longest = max(int(s.mentions.max(initial=0)) for s in sentences)
    return np.concatenate([s.mentions + n * (1 + longest) for n, s in enumerate(sentences)])


def _means(vectors: Floats, of_word: Ints, mentions: int) -> Floats:
    """Return each mention's mean direction. *Shape:* (n_words, width) to (mentions, width)."""
    sums = np.zeros((mentions, vectors.shape[1]), np.float32)
    np.add.at(sums, of_word, vectors)
    return unit_rows(sums)
