"""Positions in UTF-16 code units, as JavaScript, Java and C# count. Knows only text."""

from bisect import bisect_left
from collections.abc import Callable


def converter(text: str, unit: str) -> Callable[[int], int]:
    """Return what turns a position in code points of `text` into one in `unit`."""
    if unit == "codepoint":
        return lambda position: position
    # Each character beyond the basic plane before a position takes one unit more.
    wide = [i for i, c in enumerate(text) if ord(c) > 0xFFFF]
    return lambda position: position + bisect_left(wide, position)
