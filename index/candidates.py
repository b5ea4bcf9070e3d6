"""FAISS over single words: which examples of a large segment are worth rescoring.

Small segments have no such index, every example of theirs is scored. Knows no weights' meaning and
no files but its own.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import numpy.typing as npt

from index.encoder import Floats
from index.settings import IndexSettings, Kind
from index.similarity import Grid, Ints, from_grid
from wraner.errors import Unavailable

_TRAINING_WORDS_PER_CELL = 48
_TRAINING_ROUNDS = 6
_BLOCK = 65_536


@dataclass(frozen=True, eq=False)
class WordIndex:
    """A FAISS index over words. *Shape:* ``owners`` (n_indexed,): the example of each word."""

    faiss: Any
    owners: Ints


def train(
    vectors: Grid, weights: Floats, offsets: Ints, kind: Kind, settings: IndexSettings
) -> WordIndex | None:
    """Return a FAISS index over the heavy words of a segment, or None for flat.

    Deterministic: the cells are found from evenly spaced words with a fixed seed.
    """
    if kind == "flat":
        return None
    rows = _heavy(weights, offsets, settings.index_weight)
    owners = np.searchsorted(offsets, rows, side="right") - 1
    index = _cells(vectors, rows)
    for start in range(0, len(rows), _BLOCK):
        index.add(from_grid(vectors[rows[start : start + _BLOCK]]))
    return WordIndex(index, owners)


def _heavy(weights: Floats, offsets: Ints, least: float) -> Ints:
    """Return the words to index: the heavy ones, and all words of an example without any."""
    heavy = weights >= least
    without = np.maximum.reduceat(heavy, offsets[:-1]) == 0
    return np.flatnonzero(heavy | np.repeat(without, np.diff(offsets)))


def _cells(vectors: Grid, rows: Ints) -> Any:
    dimension = vectors.shape[1]
    cells = max(1, min(int(4 * len(rows) ** 0.5), len(rows) // _TRAINING_WORDS_PER_CELL))
    coarse = faiss.IndexFlatIP(dimension)
    index: Any = faiss.IndexIVFScalarQuantizer(
        coarse,
        dimension,
        cells,
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
        False,
    )
    index.cp.niter = _TRAINING_ROUNDS
    index.cp.min_points_per_centroid = 1
    sample = min(len(rows), cells * _TRAINING_WORDS_PER_CELL)
    spaced = np.linspace(0, len(rows) - 1, sample).astype(np.int64)
    index.train(from_grid(vectors[rows[spaced]]))
    return index


def propose(
    index: WordIndex,
    query: Floats,
    weights: Floats,
    settings: IndexSettings,
    live: npt.NDArray[np.bool_],
) -> Ints:
    """Return the live examples (ascending) whose single words promise the highest similarity.

    FAISS is asked about the weightiest words. Where it did not return an example for a word, the
    example is credited with the worst match that it did return. *Shape:* query (n, d), weights
    (n,), live (n_examples,); result (n_candidates,).
    """
    if not len(query):
        return np.zeros(0, np.int64)
    probes = np.sort(np.argsort(-weights, kind="stable")[: settings.probe_words])
    matches = settings.probe_matches_for(len(index.owners))
    # What is gone may not take the places of what is left.
    words = None if live.all() else live[index.owners]
    scores, rows = _search(index.faiss, query[probes], matches, settings, words)
    found = rows >= 0
    worst = np.where(found, scores, np.inf).min(axis=1)
    worst[~np.isfinite(worst)] = 0.0
    examples, number = np.unique(index.owners[rows[found]], return_inverse=True)
    best = np.repeat(worst[:, None], len(examples), axis=1)
    np.maximum.at(best, (np.nonzero(found)[0], number), scores[found])
    promise = weights[probes] @ best
    most = settings.candidates_for(len(index.owners))
    return np.sort(examples[np.argsort(-promise, kind="stable")[:most]])


def _search(
    index: Any,
    query: Floats,
    matches: int,
    settings: IndexSettings,
    words: npt.NDArray[np.bool_] | None,
) -> tuple[Floats, Ints]:
    faiss.omp_set_num_threads(1)
    library: Any = faiss  # the stubs of faiss 1.15 do not know these constructors
    bits = None if words is None else np.packbits(words, bitorder="little")
    chosen = {} if bits is None else {"sel": library.IDSelectorBitmap(bits)}
    parameters = library.SearchParametersIVF(nprobe=settings.nprobe, **chosen)
    found: tuple[Floats, Ints] = index.search(query, matches, params=parameters)
    return found


def write(index: WordIndex, folder: Path) -> None:
    """Write the index into a folder."""
    faiss.write_index(index.faiss, str(folder / "words.faiss"))
    np.save(folder / "owners.npy", index.owners)


def read(folder: Path) -> WordIndex | None:
    """Read what `write` wrote, None where nothing was.

    Raises:
        Unavailable: FAISS cannot read it.
    """
    path = folder / "words.faiss"
    if not path.exists():
        return None
    try:
        return WordIndex(faiss.read_index(str(path)), np.load(folder / "owners.npy"))
    except RuntimeError as error:
        raise Unavailable(f"the FAISS index {path} cannot be read") from error
