"""Which sentences share long stretches with held-out ones, and so may not be trained on.

Two texts leak where they share `n` words in a row, letter case and marks aside; of a text of
fewer words, all must be the same and no others. Knows no files and no labels.
"""

from collections.abc import Iterable, Iterator

from wraner.chunks import chunk
from wraner.packs import TaggedExample

NGRAM_WORDS = 8

_Words = tuple[str, ...]


def without_leaks(
    examples: Iterable[TaggedExample], held_out_texts: Iterable[str], n: int = NGRAM_WORDS
) -> tuple[tuple[TaggedExample, ...], tuple[TaggedExample, ...]]:
    """Part the examples into those to keep and those that leak, each in the given order.

    Time is linear in the words of both; memory is about 200 bytes a held-out word.

    Raises:
        ValueError: `n` is not positive.
    """
    if n < 1:
        raise ValueError(f"expected at least one word, was: n={n}; 8 is usual")
    held_out = {gram for text in held_out_texts for gram in _grams(text, n)}
    kept: list[TaggedExample] = []
    removed: list[TaggedExample] = []
    for example in examples:
        leaks = any(gram in held_out for gram in _grams(example.text, n))
        (removed if leaks else kept).append(example)
    return tuple(kept), tuple(removed)


def _grams(text: str, n: int) -> Iterator[_Words]:
    """Yield each run of `n` words, or all words of a shorter text; none where there is no word."""
    words = tuple(c.text.lower() for c in chunk(text) if any(map(str.isalnum, c.text)))
    if words:
        for start in range(max(len(words) - n, 0) + 1):
            yield words[start : start + n]
