"""Texts that are nearly the same, bound together, and parts of texts that no such bond crosses.

Collections hold one text in many forms: names swapped, a word turned. Where some are taught and
others asked about, learning by heart passes for knowing. Knows no label.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

_SIZES = (3, 4, 5)  # of the stretches of characters that texts are compared by
_ALIKE = 0.5  # the cosine above which two texts are bound

Numbers = npt.NDArray[np.int64]


def bound(texts: Sequence[str]) -> Numbers:
    """Return each text's group: near copies, and their near copies, share one.

    Near is the cosine of what stretches of characters two texts hold, each weighing by the log of
    how often it stands in the text and by how few texts it stands in. *Shape:* (n_texts,).
    """
    vectors = _vectors(texts)
    alike = vectors @ vectors.T
    alike.data = (alike.data > _ALIKE).astype(np.float64)
    alike.eliminate_zeros()
    groups: Numbers = connected_components(alike, directed=False)[1].astype(np.int64)
    return groups


def parts(texts: Sequence[str], kinds: Sequence[str], number: int) -> Numbers:
    """Return each text's part, of `number`: near copies share one.

    Groups are dealt by size, those of a kind (that of a group's first text) after each other, so
    that parts are of like size and hold like shares of the kinds. *Shape:* (n_texts,).
    """
    groups = bound(texts)
    _, first, sizes = (
        found.tolist() for found in np.unique(groups, return_index=True, return_counts=True)
    )
    dealt = sorted(range(len(first)), key=lambda g: (kinds[first[g]], -sizes[g], first[g]))
    part = np.empty(len(first), dtype=np.int64)
    part[dealt] = np.arange(len(first)) % number
    return part[groups]


def _vectors(texts: Sequence[str]) -> Any:
    """Return unit vectors. *Shape:* (n_texts, n_stretches), sparse."""
    known: dict[str, int] = {}
    rows, columns, counts = [], [], []
    for row, text in enumerate(texts):
        for stretch, count in _stretches(text).items():
            rows.append(row)
            columns.append(known.setdefault(stretch, len(known)))
            counts.append(count)
    weights = 1 + np.log(counts)
    shape = (len(texts), len(known))
    vectors = csr_matrix((weights, (rows, columns)), shape=shape)
    holding = np.bincount(vectors.indices, minlength=len(known))
    vectors.data *= 1 + np.log((1 + len(texts)) / (1 + holding))[vectors.indices]
    lengths = np.sqrt(np.asarray(vectors.multiply(vectors).sum(axis=1)).ravel())
    vectors.data /= np.repeat(np.maximum(lengths, 1e-12), np.diff(vectors.indptr))
    return vectors


def _stretches(text: str) -> Counter[str]:
    """Count the stretches of characters of each word, with a blank on either side."""
    found: Counter[str] = Counter()
    for word in text.lower().split():
        padded = f" {word} "
        for size in _SIZES:
            found.update(padded[i : i + size] for i in range(max(1, len(padded) - size + 1)))
    return found
