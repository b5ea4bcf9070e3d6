"""Word votes from a generation: the nearest words of its examples vote for each word of a text.

A word's neighbours are the most similar words of all examples, tagged or not, weighted by a softmax
over similarity: that of the words and, in part, that of the texts they stand in. Marks have no
vectors: they take the tags that equal marks have in the examples. Large segments vote with the
examples that FAISS proposes. Votes are whole multiples of 2^-30, so their sums are the same in
whatever segments the examples lie. Knows no language model.
"""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from index import candidates
from index.encoder import Floats, WordVectors
from index.generations import Generation, Part
from index.segments import Segment
from index.settings import IndexSettings
from index.similarity import (
    Doubles,
    Ints,
    Words,
    from_grid,
    places_that_count,
    words_that_count,
)
from wraner.chunks import Chunk, chunk
from wraner.entities import Mention, Span
from wraner.packs import TaggedExample
from wraner.word_votes import OUTSIDE, Habits, WordVotes

_STEP = 2.0**30
_MARK_PRIOR = 2.0  # a mark's own tags weigh against so many of the average mark
_HABIT_PRIOR = 0.5  # added to every count of one tag after another


@dataclass(frozen=True, slots=True)
class VoteSettings:
    """How words vote; chosen on CrossNER's dev sentences, see training/LOG.md."""

    neighbours: int = 30
    """So many nearest words vote for each word, and those equal to the last of them."""

    temperature: float = 0.04
    """A neighbour less similar by this much has a vote smaller by the factor e."""

    text_share: float = 0.3
    """How much the similarity of whole texts counts, against that of the words."""


UNTUNED = VoteSettings(temperature=0.12)
"""How words vote where the encoder for domains is not tuned."""


@dataclass(frozen=True, eq=False)
class TaggedWords:
    """The tags of a generation's words, read once.

    *Shape:* ``tags`` holds for each part (n_words,) the columns of `wraner.word_votes.WordVotes`,
    beside the segment's vectors; ``marks`` the counts (n_tags,) of each mark, ``any_mark`` of all.
    `mentions` counts those of each label.
    """

    labels: tuple[str, ...]
    mentions: tuple[int, ...]
    tags: tuple[Ints, ...]
    marks: dict[str, Doubles]
    any_mark: Doubles
    habits: Habits


def tagged_words_of(
    generation: Generation, examples: Sequence[Sequence[TaggedExample]], settings: IndexSettings
) -> TaggedWords:
    """Read the tags of all words; `examples` are each part's entries, gone ones too."""
    labels = _shown(generation, examples)
    columns = {name: 1 + number for number, name in enumerate(labels)}
    size = 1 + 2 * len(labels)
    follows = np.full((3, 3), _HABIT_PRIOR)
    marks: dict[str, Doubles] = {}
    tags: list[Ints] = []
    mentions: Counter[str] = Counter()
    for part, entries in zip(generation.parts, examples, strict=True):
        rows: list[Ints] = []
        for live, example in zip(part.live, entries, strict=True):
            chunks = chunk(example.text)
            shown = example.entities if live else ()
            own = tags_of(chunks, shown, columns)
            places, _ = places_that_count(chunks, settings)
            rows.append(own[places])
            if live:
                mentions.update(m.label for m in example.entities)
                kinds = _kinds(np.concatenate([[OUTSIDE], own, [OUTSIDE]]), len(labels))
                np.add.at(follows, (kinds[:-1], kinds[1:]), 1)
                for place in np.setdiff1d(np.arange(len(chunks)), places):
                    marks.setdefault(chunks[place].text, np.zeros(size))[own[place]] += 1
        tags.append(np.concatenate(rows))
    total = sum(marks.values(), np.eye(size)[OUTSIDE])
    return TaggedWords(
        labels,
        tuple(mentions[name] for name in labels),
        tuple(tags),
        marks,
        total / total.sum(),
        _habits(follows),
    )


def _shown(generation: Generation, examples: Sequence[Sequence[TaggedExample]]) -> tuple[str, ...]:
    """Return the labels of the examples that are still there, in order."""
    return tuple(
        sorted(
            {
                m.label
                for part, entries in zip(generation.parts, examples, strict=True)
                for live, example in zip(part.live, entries, strict=True)
                if live
                for m in example.entities
            }
        )
    )


def tags_of(
    chunks: Sequence[Chunk], mentions: Sequence[Mention], columns: Mapping[str, int]
) -> Ints:
    """Return each chunk's column of `wraner.word_votes.WordVotes`. *Shape:* (n_chunks,).

    `columns` has that of each label's beginning.
    """
    tags = np.full(len(chunks), OUTSIDE, np.int64)
    starts, ends = [c.start for c in chunks], [c.end for c in chunks]
    for m in mentions:
        first, stop = bisect_left(starts, m.start), bisect_right(ends, m.end)
        tags[first:stop] = columns[m.label] + len(columns)
        tags[first : min(first + 1, stop)] = columns[m.label]
    return tags


def _kinds(tags: Ints, labels: int) -> Ints:
    """Return 0 for outside, 1 for a beginning, 2 for inside."""
    return (tags > 0).astype(np.int64) + (tags > labels)


def _habits(follows: Doubles) -> Habits:
    follows[0, 2] = 0  # nothing goes on that has not begun
    totals = follows.sum(axis=1, keepdims=True)
    return Habits(follows.sum(axis=0) / follows.sum(), follows / totals)


def count_votes(
    generation: Generation,
    tagged: TaggedWords,
    text: WordVectors,
    settings: IndexSettings,
    votes: VoteSettings,
    *,
    exclude: Collection[str] = (),
) -> WordVotes:
    """Return the votes on every word of a text; words of the examples in `exclude` have none.

    The exceptions still count in habits and marks.
    """
    query = words_that_count(text, settings)
    vectors = from_grid(query.vectors)
    size = len(tagged.any_mark)
    near = [np.zeros((len(vectors), 0), np.float32)]
    tags = [np.zeros(0, np.int64)]
    for part, own in zip(generation.parts, tagged.tags, strict=True):
        words = _voters(part, vectors, query.weights, settings, exclude)
        near.append(_nearness(part.segment, words, query, votes.text_share))
        tags.append(own[words])
    shares = np.array([_mark(tagged, c.text) for c in text.chunks]).reshape(-1, size)
    found = _shares(np.concatenate(near, axis=1), np.concatenate(tags), size, votes)
    if found is not None:
        shares[query.places] = found
    spans = tuple(Span(c.start, c.end) for c in text.chunks)
    return WordVotes(spans, tagged.labels, shares, tagged.habits, generation.count, tagged.mentions)


def _nearness(segment: Segment, words: Ints, query: Words, share: float) -> Floats:
    """Return how near some words of a segment lie to the query's. *Shape:* (n_query, n_words)."""
    vectors = from_grid(query.vectors)
    if segment.kind == "flat":
        near: Floats = (vectors @ segment.floats.T)[:, words]
    else:
        near = vectors @ from_grid(segment.vectors[words]).T
    if not len(query.text):
        return near
    texts = segment.likeness(np.arange(len(segment.entries)), query.text)
    owners = np.searchsorted(segment.offsets, words, side="right") - 1
    return np.float32(1 - share) * near + np.float32(share) * texts[owners]


def _voters(
    part: Part,
    query: Floats,
    weights: Floats,
    settings: IndexSettings,
    exclude: Collection[str],
) -> Ints:
    """Return the numbers of the words that may vote."""
    segment = part.segment
    may = part.live
    gone = [segment.rows[i] for i in exclude if i in segment.rows]
    if gone:
        may = may.copy()
        may[gone] = False
    if segment.index is not None:
        proposed = candidates.propose(segment.index, query, weights, settings, may)
        may = np.zeros_like(may)
        may[proposed] = True
    return np.flatnonzero(np.repeat(may, np.diff(segment.offsets)))


def _shares(near: Floats, tags: Ints, size: int, votes: VoteSettings) -> Doubles | None:
    """Return the shares of votes (n_query, n_tags); None where no word may vote."""
    if not near.size:
        return None
    count = min(votes.neighbours, near.shape[1])
    last = np.partition(near, -count, axis=1)[:, [-count]]
    relative = (near - near.max(axis=1, keepdims=True)) / votes.temperature
    cast = np.where(near >= last, np.rint(np.exp(relative.astype(np.float64)) * _STEP), 0.0)
    voted, voters = np.nonzero(cast)
    sums = np.zeros((len(near), size))
    np.add.at(sums, (voted, tags[voters]), cast[voted, voters])
    shares: Doubles = sums / sums.sum(axis=1, keepdims=True)
    return shares


def _mark(tagged: TaggedWords, mark: str) -> Doubles:
    counts = tagged.marks.get(mark, np.zeros_like(tagged.any_mark)) + _MARK_PRIOR * tagged.any_mark
    shares: Doubles = counts / counts.sum()
    return shares
