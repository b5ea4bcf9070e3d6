"""How far a store's other sentences doubt the tags of each: what finds noisy labels.

Confident learning (Northcutt et al. 2021), with the votes of the nearest words of other sentences
in the place of a model: the confidence in a word's tag is the share of votes for its label, and the
tag is doubted by as much as that falls short of the label's mean in the store. Without the mean,
types would be doubted for being rare or broad. Knows no encoder and no disk.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.settings import IndexSettings
from index.similarity import Doubles, Ints, places_that_count
from index.word_votes import tags_of
from wraner.chunks import chunk
from wraner.packs import TaggedExample
from wraner.word_votes import OUTSIDE, WordVotes, begins, insides


@dataclass(frozen=True, slots=True, eq=False)
class _Read:
    """A sentence's words that have vectors: marks are voted on by themselves too.

    *Shape:* all (n_words,): ``labels`` are numbers, 0 outside; ``confidence`` the shares of votes
    for them; ``entity`` whether a word is one by its tag or by most votes.
    """

    labels: Ints
    confidence: Doubles
    entity: npt.NDArray[np.bool_]


def doubts(
    examples: Sequence[TaggedExample], votes: Sequence[WordVotes], settings: IndexSettings
) -> list[float]:
    """Return how far a store's sentences are doubted, by votes without their own: from -1 to 1.

    It is the mean over the words that are entities by their tags or by the votes; 0, neither
    doubted nor confirmed, where there is none.
    """
    read = [_read(e, v, settings) for e, v in zip(examples, votes, strict=True)]
    labels = np.concatenate([r.labels for r in read])
    confidence = np.concatenate([r.confidence for r in read])
    usual = np.bincount(labels, confidence) / np.maximum(np.bincount(labels), 1)
    short = [(usual[r.labels] - r.confidence)[r.entity] for r in read]
    return [float(s.mean()) if len(s) else 0.0 for s in short]


def _read(example: TaggedExample, votes: WordVotes, settings: IndexSettings) -> _Read:
    chunks = chunk(example.text)
    places, _ = places_that_count(chunks, settings)
    size = len(votes.labels)
    columns = {name: 1 + number for number, name in enumerate(votes.labels)}
    tags = tags_of(chunks, example.entities, columns)[places]
    labels = np.where(tags > size, tags - size, tags)
    by_tag = votes.shares[places]
    either = by_tag[:, begins(size)] + by_tag[:, insides(size)]
    shares = np.concatenate([by_tag[:, : OUTSIDE + 1], either], axis=1)
    entity = (labels != OUTSIDE) | (shares.argmax(axis=1) != OUTSIDE)
    return _Read(labels, shares[np.arange(len(labels)), labels], entity)
