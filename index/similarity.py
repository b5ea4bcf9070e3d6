"""How near two texts lie, by their words, exactly.

Vectors are rounded to the grid of multiples of 2^-11 and stored as 16-bit integers; weights are
multiples of 2^-12. A dot product of two unit vectors is then a sum of multiples of 2^-22 that
never leaves 24 bits, so float32 computes it without any rounding, whatever the order, the block
size or the number of threads; the weighted sums fit float64 in the same way. Hence similarities
are equal to the last bit in whatever segments or batches they are computed. Knows no storage.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from index.encoder import Floats, WordVectors
from index.settings import Aggregation, IndexSettings
from index.weighting import GRID, weight
from wraner.chunks import Chunk

Ints = npt.NDArray[np.int64]
Grid = npt.NDArray[np.int16]
Doubles = npt.NDArray[np.float64]

SCALE = 2048


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a text that count, with their weights and places among its chunks.

    *Shape:* ``vectors`` (n, dimension) int16 on the grid, ``weights`` (n,) float32,
    ``places`` (n,) int64, ascending; ``text`` (text dimension,) int16, the whole text's vector.
    """

    vectors: Grid
    weights: Floats
    places: Ints
    text: Grid


def words_that_count(
    encoded: WordVectors, settings: IndexSettings, *, most: int | None = None
) -> Words:
    """Select and weigh a text's words; at `most` the weightiest, earlier ones first among equals.

    A text without any weighty word counts whole, each chunk as lightly as the grid allows.
    """
    places, weights = places_that_count(encoded.chunks, settings)
    if most is not None and len(places) > most:
        places = np.sort(places[np.argsort(-weights[places], kind="stable")[:most]])
    return Words(to_grid(encoded.vectors[places]), weights[places], places, to_grid(encoded.text))


def places_that_count(chunks: Sequence[Chunk], settings: IndexSettings) -> tuple[Ints, Floats]:
    """Return which of a text's chunks count (n,), and the weights of all (n_chunks,)."""
    weights = np.array([weight(c.text, settings.language) for c in chunks], np.float32)
    places = np.flatnonzero(weights >= max(settings.min_weight, GRID))
    if not len(places):
        places, weights = np.arange(len(weights)), np.full(len(weights), GRID, np.float32)
    return places, weights


def to_grid(vectors: Floats) -> Grid:
    """Return unit vectors as integers, 2048 for 1."""
    return np.rint(vectors * SCALE).astype(np.int16)


def from_grid(vectors: Grid) -> Floats:
    """Return the vectors that integers of the grid stand for."""
    return vectors.astype(np.float32) * np.float32(1 / SCALE)


def similarities(
    query: Floats,
    query_weights: Floats,
    words: Floats,
    word_weights: Floats,
    offsets: Ints,
    aggregation: Aggregation,
) -> tuple[Doubles, Floats]:
    """Return each example's similarity (n_examples,) and its best matches (n_query, n_examples).

    A query without words is similar to nothing: 0.
    """
    examples = len(offsets) - 1
    if not len(query) or not examples:
        return np.zeros(examples), np.zeros((len(query), examples), np.float32)
    products = query @ words.T
    best = np.maximum.reduceat(products, offsets[:-1], axis=1)
    forward = _weighted(query_weights, best)
    if aggregation == "forward":
        return forward, best
    weights = word_weights.astype(np.float64)
    reverse = np.add.reduceat(products.max(axis=0) * weights, offsets[:-1])
    return (forward + reverse / np.add.reduceat(weights, offsets[:-1])) / 2, best


def _weighted(weights: Floats, best: Floats) -> Doubles:
    exact = weights.astype(np.float64)
    mean: Doubles = (exact @ best.astype(np.float64)) / exact.sum()
    return mean


def concatenate(parts: list[Words]) -> tuple[Grid, Floats, Ints]:
    """Return vectors, weights and offsets of several texts' words, one after another.

    Empties the list as it goes, so that a large pack is not held twice.
    """
    offsets = np.cumsum([0, *(len(p.weights) for p in parts)]).astype(np.int64)
    weights = np.concatenate([p.weights for p in parts])
    vectors = np.empty((len(weights), parts[0].vectors.shape[1]), np.int16)
    while parts:
        last = parts.pop()
        vectors[offsets[len(parts)] : offsets[len(parts) + 1]] = last.vectors
    return vectors, weights, offsets
