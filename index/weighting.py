"""How much a word says: half when the language uses it all the time, nothing when it is a mark.

Frequencies are of general language (wordfreq), not of a pack's hundred examples, so a word weighs
the same in every pack and after every edit. The slope was chosen on CrossNER's dev sentences
(`python -m benchmarks.word_retrieval`): steeper ones retrieve worse. Knows no vectors.
"""

from functools import lru_cache

import regex
from wordfreq import zipf_frequency

_SPEAKS = regex.compile(r"[\p{L}\p{N}\p{So}\p{Sc}]")
_HALF_ZIPF = 8.0  # a word of this frequency, one in ten, would weigh a half
GRID = 2**-12


@lru_cache(maxsize=200_000)
def weight(word: str, language: str = "en") -> float:
    """Return a word's weight in 0..1, a multiple of `GRID` so that sums of weights are exact.

    ``the`` weighs 0.52, a word never met 1, a punctuation mark 0.
    """
    if not _SPEAKS.search(word):
        return 0.0
    zipf = min(zipf_frequency(word, language), _HALF_ZIPF)
    return round((1.0 - zipf / (2 * _HALF_ZIPF)) / GRID) * GRID
