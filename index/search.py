"""The nearest examples of a text: FAISS proposes in large segments, exact similarities decide.

The order is by similarity, then by id, whatever the segmentation. `exact=True` scores every
example: the oracle. Knows no files and no packs.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from index import candidates
from index.encoder import Floats
from index.generations import Generation, Part
from index.segments import Entry, Segment
from index.settings import Aggregation, IndexSettings
from index.similarity import Doubles, Ints, Words, from_grid, similarities

_BLOCK_WORDS = 65_536


@dataclass(frozen=True, slots=True)
class Hit:
    """A found entry and its similarity to the text (-1..1)."""

    entry: Entry
    similarity: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Similarities of some entries of a segment to a text.

    *Shape:* ``rows`` (n,) ascending, ``similarity`` (n,), ``best`` (n_query, n): how well each of
    the text's words is matched in each entry.
    """

    rows: Ints
    similarity: Doubles
    best: Floats


def nearest(
    generation: Generation,
    query: Words,
    k: int,
    settings: IndexSettings,
    *,
    exclude: Collection[str] = (),
    exact: bool = False,
) -> list[Hit]:
    """Return the `k` entries most similar to the text whose words are `query`, best first.

    Entries whose id is in `exclude` do not count. Equal similarities stand in the order of ids.
    """
    hits: list[Hit] = []
    for part in generation.parts:
        scores = score(part, query, settings, settings.aggregation, exact=exact)
        near = _with_texts(part.segment, scores, query, settings.text_share)
        keep = part.live[scores.rows]
        for identifier in exclude:
            keep &= scores.rows != part.segment.rows.get(identifier, -1)
        rows, found = scores.rows[keep], near[keep]
        hits += [
            Hit(part.segment.entries[rows[i]], float(found[i])) for i in _first(found, k).tolist()
        ]
    return sorted(hits, key=lambda hit: (-hit.similarity, hit.entry.id))[:k]


def _with_texts(segment: Segment, scores: Scores, query: Words, share: float) -> Doubles:
    """Return similarities by words and, where the encoder has them, by the vectors of texts."""
    if not len(query.text):
        return scores.similarity
    near: Doubles = segment.likeness(scores.rows, query.text).astype(np.float64)
    return (1 - share) * scores.similarity + share * near


def _first(found: Doubles, k: int) -> Ints:
    """Return the numbers of the `k` highest, earlier ones first among equals."""
    if not k:
        return np.zeros(0, np.int64)
    if k < len(found):
        bar = np.partition(found, len(found) - k)[len(found) - k]
        high = np.flatnonzero(found >= bar)
    else:
        high = np.arange(len(found))
    return high[np.argsort(-found[high], kind="stable")[:k]]


def score(
    part: Part,
    query: Words,
    settings: IndexSettings,
    aggregation: Aggregation,
    *,
    exact: bool = False,
) -> Scores:
    """Return exact scores of all entries, or in a large segment of those that FAISS proposes.

    What it proposes is live; all entries are scored whether they are gone or not.
    """
    segment = part.segment
    if segment.index is None or exact:
        return _score_all(segment, query, aggregation)
    vectors = from_grid(query.vectors)
    rows = candidates.propose(segment.index, vectors, query.weights, settings, part.live)
    return _score_rows(segment, rows, query, aggregation)


def _score_all(segment: Segment, query: Words, aggregation: Aggregation) -> Scores:
    offsets, total = segment.offsets, len(segment.entries)
    vectors = from_grid(query.vectors)
    borders = [0]
    while borders[-1] < total:
        reach = np.searchsorted(offsets, offsets[borders[-1]] + _BLOCK_WORDS, side="right") - 1
        borders.append(min(total, max(int(reach), borders[-1] + 1)))
    found, best = np.zeros(total), np.zeros((len(vectors), total), np.float32)
    for first, last in pairwise(borders):
        rows = slice(offsets[first], offsets[last])
        flat = segment.kind == "flat"
        found[first:last], best[:, first:last] = similarities(
            vectors,
            query.weights,
            segment.floats[rows] if flat else from_grid(segment.vectors[rows]),
            segment.weights[rows],
            offsets[first : last + 1] - offsets[first],
            aggregation,
        )
    return Scores(np.arange(total), found, best)


def _score_rows(segment: Segment, rows: Ints, query: Words, aggregation: Aggregation) -> Scores:
    starts, ends = segment.offsets[rows], segment.offsets[rows + 1]
    offsets = np.concatenate([[0], np.cumsum(ends - starts)])
    places = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], ends - starts)
    found, best = similarities(
        from_grid(query.vectors),
        query.weights,
        from_grid(segment.vectors[places]),
        segment.weights[places],
        offsets,
        aggregation,
    )
    return Scores(rows, found, best)
