"""The one segmentation of text into words and marks.

Index, windows, grammar and alignment all cut text here, so a span that one of them can name is a
span that the others can find. Knows no tokenizer and no model.
"""

from dataclasses import dataclass

import regex

# Scripts written without spaces, or (Hangul) with particles glued to names: one character a chunk,
# so that 北京 can be tagged inside 我在北京工作 and 서울 inside 서울에서.
_UNSPACED = (
    r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
    r"\u3006\u30fc\uff70\uff9e\uff9f"  # of no script by Unicode: closing, vowel and voice marks
)
_CHUNK = regex.compile(
    rf"[{_UNSPACED}]\p{{M}}*"
    rf"|(?:(?![{_UNSPACED}])[\p{{L}}\p{{N}}_])(?:(?![{_UNSPACED}])[\p{{L}}\p{{N}}\p{{M}}_])*"
    r"|[^\s\x1c-\x1f]\p{M}*"  # str.isspace holds for those four separators too
)
_BEGINS_UNSPACED = regex.compile(rf"[{_UNSPACED}]")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One word, punctuation mark or unspaced character: ``text == source[start:end]``."""

    start: int
    end: int
    text: str


def chunk(source: str) -> tuple[Chunk, ...]:
    """Cut `source` into its chunks, left to right; white space belongs to none.

    Every non-space character lies in exactly one chunk.
    """
    return tuple(Chunk(m.start(), m.end(), m.group()) for m in _CHUNK.finditer(source))


def is_unspaced(word: str) -> bool:
    """Return whether a chunk is one character of a script whose words are many chunks."""
    return _BEGINS_UNSPACED.match(word) is not None
