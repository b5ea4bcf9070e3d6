"""A word encoder without weights, for tests of everything that lies behind it."""

import hashlib
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pytest

from index.encoder import WordVectors, unit_rows
from wraner.chunks import chunk


class HashEncoder:
    """A word's vector is drawn from the hash of its letters; counts the texts it encodes."""

    def __init__(self, dimension: int = 16) -> None:
        self.dimension = dimension
        self.identity = f"hash-{dimension}"
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> list[WordVectors]:
        self.encoded += texts
        return [self._encode_one(text) for text in texts]

    def _encode_one(self, text: str) -> WordVectors:
        chunks = chunk(text)
        rows = np.zeros((len(chunks), self.dimension), np.float32)
        for number, piece in enumerate(chunks):
            rows[number] = _drawn(piece.text.lower(), self.dimension)
        return WordVectors(chunks, unit_rows(rows))


@cache
def _drawn(word: str, dimension: int) -> np.ndarray:
    digest = hashlib.sha256(word.encode("utf-8", "replace")).digest()
    return np.random.default_rng(int.from_bytes(digest[:4], "little")).normal(size=dimension)


@pytest.fixture(scope="session")
def make_encoder() -> Callable[[], HashEncoder]:
    return HashEncoder
