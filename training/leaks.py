"""Which sentences share long stretches with held-out ones, and so may not be trained on.

Two texts leak where they share `n` words in a row, letter case and marks aside; of a text of
fewer words, all must be the same and no others. Knows no files and no labels.
"""

from collections.abc import Iterable, Iterator

from wraner.chunks import chunk

NGRAM_WORDS = 8

_Words = tuple[str, ...]


class HeldOut:
    """Texts that may not be learnt from, by their stretches of `n` words.

    *Cost:* time is linear in the words asked about, memory about 200 bytes a held-out word.

    Raises:
        ValueError: `n` is not positive.
    """

    def __init__(self, texts: Iterable[str], n: int = NGRAM_WORDS) -> None:
        if n < 1:
            raise ValueError(f"expected at least one word, was: n={n}; 8 is usual")
        self._n = n
        self._grams = {gram for text in texts for gram in _grams(text, n)}

    def leaks(self, text: str) -> bool:
        """Tell whether a text shares a stretch with one of them."""
        return any(gram in self._grams for gram in _grams(text, self._n))


def _grams(text: str, n: int) -> Iterator[_Words]:
    """Yield each run of `n` words, or all words of a shorter text; none where there is no word."""
    words = tuple(c.text.lower() for c in chunk(text) if any(map(str.isalnum, c.text)))
    if words:
        for start in range(max(len(words) - n, 0) + 1):
            yield words[start : start + n]
