"""How a word is written: its letter case and digits, as a small number.

The bundled encoder reads everything in lower case, so `US` and `us` are one word to it; a tuned one
is told this as well. Knows no model.
"""

from enum import IntEnum


class LetterCase(IntEnum):
    """The ways to write a word, in the order of a tuned encoder's table."""

    NOTHING = 0  # what stands before and after a text
    MARK = 1
    LOWER = 2
    CAPITALISED = 3
    CAPITALS = 4
    NUMBER = 5
    WITH_DIGITS = 6
    ONE_CAPITAL = 7
    MIXED = 8  # and letters that have no case


def letter_case(word: str) -> LetterCase:
    """Return how a word or mark is written."""
    digits = any(c.isdigit() for c in word)
    if not any(c.isalpha() for c in word):
        return LetterCase.NUMBER if digits else LetterCase.MARK
    if digits:
        return LetterCase.WITH_DIGITS
    if word.islower():
        return LetterCase.LOWER
    if word.isupper():
        return LetterCase.CAPITALS if len(word) > 1 else LetterCase.ONE_CAPITAL
    return LetterCase.CAPITALISED if word.istitle() else LetterCase.MIXED
