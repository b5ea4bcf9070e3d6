"""Word vectors from one encoder, with the sentence vector of their text from another.

What a word is and what its text is about are learnt from different data; votes weigh both. Knows no
index.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from index.contextual import ContextualEncoder
from index.encoder import WordVectors


class WithTexts:
    """Implements `index.encoder.WordEncoder`."""

    def __init__(self, words: ContextualEncoder, texts: ContextualEncoder) -> None:
        self._words = words
        self._texts = texts
        names = f"with texts: {words.identity} {texts.identity}"
        self._identity = hashlib.sha256(names.encode()).hexdigest()

    @property
    def identity(self) -> str:
        """A hash of all that words' and texts' vectors depend on."""
        return self._identity

    @property
    def dimension(self) -> int:
        """The length of a word's vector."""
        return self._words.dimension

    def encode(self, texts: Sequence[str]) -> list[WordVectors]:
        """Return the word vectors of each text, with the text's own and what they do to it."""
        return [
            replace(words, text=text.vector, pulls=text.pulls)
            for words, text in zip(
                self._words.encode(texts), self._texts.compositions(texts), strict=True
            )
        ]
