"""What the index asks of any word encoder: unit vectors for the chunks of a text.

An example's vectors may not depend on which other texts were encoded with it, nor on the order:
answers after any sequence of edits must equal those of a fresh build. Knows no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

from wraner.chunks import Chunk

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class WordVectors:
    """A text's chunks (words and marks) and their vectors, with one for the whole text.

    *Shape:* ``vectors`` is (len(chunks), dimension), float32; each row has length 1, or is zero
    where the encoder knows nothing of the chunk. ``text`` is (text dimension,), of length 1, or
    empty where the encoder has none. ``pulls`` is (len(chunks), text dimension): how far each chunk
    moves ``text``, zero where it says no more than the rest; of width 0 where the encoder does not
    tell.
    """

    chunks: tuple[Chunk, ...]
    vectors: Floats
    text: Floats = field(default_factory=lambda: np.zeros(0, np.float32))
    pulls: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))


class WordEncoder(Protocol):
    """Turns texts into word vectors; the same text always gets the same vectors."""

    @property
    def identity(self) -> str:
        """A hash of everything that the vectors depend on: weights, layer, settings."""
        ...

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        ...

    def encode(self, texts: Sequence[str]) -> list[WordVectors]:
        """Return the word vectors of each text, whole: nothing is truncated."""
        ...


class SentenceEncoder(Protocol):
    """Turns texts into one vector each."""

    @property
    def identity(self) -> str:
        """A hash of everything that the vectors depend on."""
        ...

    def sentences(self, texts: Sequence[str]) -> Floats:
        """Return the unit vector of each text. *Shape:* (len(texts), dimension)."""
        ...


def unit_rows(rows: Floats) -> Floats:
    """Return the rows scaled to length 1; a zero row stays zero."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Floats = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return scaled
