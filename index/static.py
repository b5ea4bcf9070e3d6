"""Static word vectors through gensim: one vector a word, whatever its context.

A word out of the vocabulary is looked up in lower case; then fastText builds its vector from its
letters, and other tables know nothing of it: a zero row, which matches nothing. Knows no index.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from gensim.models import FastText, KeyedVectors
from gensim.models.fasttext import FastTextKeyedVectors

from index.encoder import Floats, WordVectors, unit_rows
from wraner.chunks import chunk

_FORMAT = "static-1"


class StaticEncoder:
    """Word vectors from a table; `content` is a hash of that table."""

    def __init__(self, vectors: KeyedVectors, content: str) -> None:
        self._vectors: Any = vectors
        self._from_letters = isinstance(vectors, FastTextKeyedVectors)
        self._identity = hashlib.sha256(f"{_FORMAT} {content}".encode()).hexdigest()

    @property
    def identity(self) -> str:
        """A hash of the table."""
        return self._identity

    @property
    def dimension(self) -> int:
        """The length of a vector."""
        return int(self._vectors.vector_size)

    def encode(self, texts: Sequence[str]) -> list[WordVectors]:
        """Return the word vectors of each text; zero rows for words that the table lacks."""
        return [self._encode_one(text) for text in texts]

    def _encode_one(self, text: str) -> WordVectors:
        chunks = chunk(text)
        rows = np.zeros((len(chunks), self.dimension), np.float32)
        for number, piece in enumerate(chunks):
            rows[number] = self._look_up(piece.text)
        return WordVectors(chunks, unit_rows(rows))

    def _look_up(self, word: str) -> Floats | float:
        found: Floats
        for form in (word, word.lower()):
            if form in self._vectors.key_to_index:
                found = self._vectors.vectors[self._vectors.key_to_index[form]]
                return found
        if not self._from_letters:
            return 0.0
        clean = word.encode("utf-8", "replace").decode()  # letters are hashed as UTF-8
        found = self._vectors.get_vector(clean)
        return found


def train_static(
    texts: Sequence[str], *, dimension: int = 100, epochs: int = 30, seed: int = 1
) -> StaticEncoder:
    """Train FastText on a pack's own texts; the same texts in the same order, the same vectors.

    Raises:
        ValueError: there are no words to learn from.
    """
    sentences = [[piece.text.lower() for piece in chunk(text)] for text in texts]
    if not any(sentences):
        raise ValueError("expected at least one text with words to train on, was: none")
    model = FastText(
        vector_size=dimension, window=5, min_count=1, sg=1, bucket=50_000, seed=seed, workers=1
    )
    model.build_vocab(corpus_iterable=sentences)
    model.train(corpus_iterable=sentences, total_examples=len(sentences), epochs=epochs)
    digest = hashlib.sha256("\n".join(model.wv.index_to_key).encode("utf-8", "replace"))
    digest.update(model.wv.vectors.tobytes())
    digest.update(model.wv.vectors_ngrams.tobytes())
    return StaticEncoder(model.wv, digest.hexdigest())
