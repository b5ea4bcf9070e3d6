"""Excerpts: of a long text what lies around the places that matter. Knows no result."""

from collections.abc import Iterable, Sequence

from wraner.entities import Span

_WHOLE_CHARACTERS = 200
_AROUND_CHARACTERS = 40
_WORDS_CHARACTERS = 60


def excerpts(text: str, places: Iterable[Span], unbroken: Sequence[Span]) -> list[Span]:
    """Return the stretches of a text to show, in order and apart: the whole where it is short.

    Each place is shown with some characters around it; what is `unbroken` is never cut.
    """
    if len(text) <= _WHOLE_CHARACTERS:
        return [Span(0, len(text))]
    shown: list[Span] = []
    for place in sorted(places):
        start = max(0, place.start - _AROUND_CHARACTERS)
        end = min(len(text), place.end + _AROUND_CHARACTERS)
        touched = [one for one in unbroken if one.start < end and start < one.end]
        start = min([start, *(one.start for one in touched)])
        end = max([end, *(one.end for one in touched)])
        if shown and start <= shown[-1].end:
            last = shown.pop()
            start, end = last.start, max(end, last.end)
        shown.append(Span(start, end))
    return shown


def shortened(words: str) -> str:
    """Return words, cut where they are many."""
    return words if len(words) <= _WORDS_CHARACTERS else f"{words[:_WORDS_CHARACTERS]}…"
