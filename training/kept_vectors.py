"""Texts' vectors, kept on disk: what one worker reads, others and a run's next start find.

Knows no policy and no neighbour.
"""

import hashlib
import os
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]


class Encoder(Protocol):
    """Reads whole texts."""

    @property
    def identity(self) -> str:
        """Changes whenever its vectors may."""

    def sentences(self, texts: Sequence[str]) -> Vectors:
        """Return a unit vector a text. *Shape:* (n_texts, dimension)."""


def kept_vectors(
    encoder: Encoder, texts: Sequence[str], folder: Path, say: Callable[[], None] = lambda: None
) -> Vectors:
    """Return the texts' vectors, computed once and from then on read from `folder`.

    `say` is called where they must be computed. A file that cannot be read is written anew.

    *Shape:* (n_texts, dimension).
    """
    file = folder / f"{_key(encoder, texts)}.npy"
    known = _read(file, len(texts))
    if known is not None:
        return known
    say()
    vectors = np.asarray(encoder.sentences(texts), np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    scratch = folder / f".{uuid.uuid4().hex}"  # of its own, and for all who may read the folder
    try:
        with scratch.open("xb") as into:
            np.save(into, vectors)
        os.replace(scratch, file)
    finally:
        scratch.unlink(missing_ok=True)
    return vectors


def _read(file: Path, texts: int) -> Vectors | None:
    try:
        found = np.load(file)
    except (FileNotFoundError, ValueError, EOFError):
        return None
    return found if found.ndim == 2 and len(found) == texts else None


def _key(encoder: Encoder, texts: Sequence[str]) -> str:
    digest = hashlib.sha256(encoder.identity.encode())
    for text in texts:
        digest.update(hashlib.sha256(text.encode()).digest())
    return digest.hexdigest()[:16]
