"""Types parted into pseudo-types for a prompt, by what an untuned encoder finds alike in mentions.

Sources have broad types, and a model that is taught nothing else answers with them where a domain
asks for finer ones: every politician is a person. One part of a type keeps its name; what the
others are, only examples tell. Knows no disk and no tokens.
"""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from index.encoder import Floats, WordVectors, unit_rows
from index.similarity import Ints
from training.sheets import TypeSheet
from training.word_splits import MOST_GROUPS, drawn_types, grouped
from wraner.packs import TaggedExample

WIDTH = 32
"""Of a mention's point: enough to tell parts, and small beside its sentence."""


@dataclass(frozen=True, slots=True, eq=False)
class Mentions:
    """The mentions of a corpus, in the order of its sentences.

    *Shape:* ``firsts`` (n_sentences,), the number of each sentence's first mention; ``types``
    (n_mentions,), places in `labels`; ``points`` (n_mentions, `WIDTH`), unit vectors.
    """

    labels: tuple[str, ...]
    firsts: Ints
    types: Ints
    points: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Some types of a corpus, parted.

    `names` are a part's names by its type's; the first is the type's own. *Shape:* ``firsts`` as in
    `Mentions`; ``of_mention`` (n_mentions,), places in `names`, 0 for types left whole.
    """

    names: Mapping[str, tuple[str, ...]]
    firsts: Ints
    of_mention: Ints

    def types(self, whole: Sequence[TypeSheet]) -> list[TypeSheet]:
        """Return sheets with each parted type followed by its parts, which have names alone."""
        return [
            t
            if name == t.name
            else TypeSheet.model_construct(label=t.label, name=name, definition="")
            for t in whole
            for name in self.names.get(t.name, (t.name,))
        ]

    def tagged(self, number: int, example: TaggedExample) -> TaggedExample:
        """Return the sentence of that number with the parts as its types."""
        parts = self.of_mention[self.firsts[number] :]
        mentions = (
            replace(m, label=self.names[m.label][part]) if m.label in self.names else m
            for m, part in zip(example.entities, parts, strict=False)
        )
        return example.model_copy(update={"entities": tuple(mentions)})


def mention_points(example: TaggedExample, read: WordVectors) -> Floats:
    """Return what a sentence's mentions are like. *Shape:* (n_mentions, `WIDTH`)."""
    means = np.zeros((len(example.entities), read.vectors.shape[1]), np.float32)
    for mean, m in zip(means, example.entities, strict=True):
        inside = [i for i, c in enumerate(read.chunks) if m.start <= c.start and c.end <= m.end]
        mean += read.vectors[inside].sum(axis=0)
    return unit_rows(means @ _shadow(means.shape[1]))


def drawn_parts(rng: np.random.Generator, mentions: Mentions, probability: float) -> Parts:
    """Part each type of enough mentions into two or three, with some probability.

    Draws nothing where that is 0. Others than the first thirteen drawn stay whole, for want of
    letters.
    """
    of_mention = np.zeros(len(mentions.types), np.int64)
    chosen = drawn_types(mentions.types, probability, rng=rng) if probability else ()
    letters = list(rng.permutation(list(string.ascii_uppercase))) if len(chosen) else []
    names = {}
    for kind in chosen[: len(letters) // (MOST_GROUPS - 1)]:
        held = mentions.types == kind
        _, of_mention[held] = np.unique(grouped(mentions.points[held], rng), return_inverse=True)
        others = [f"type {letters.pop()}" for _ in range(int(of_mention[held].max()))]
        names[mentions.labels[kind]] = (mentions.labels[kind], *others)
    return Parts(names, mentions.firsts, of_mention)


def _shadow(width: int) -> Floats:
    """Return a projection that keeps distances about as they are (Johnson and Lindenstrauss 1984).

    *Shape:* (width, `WIDTH`).
    """
    drawn: Floats = np.random.default_rng(0).standard_normal((width, WIDTH), dtype=np.float32)
    return drawn
