"""Long texts: overlapping windows at sentence or word borders, and the way back.

Each window owns the stretch up to the middle of its overlap with the next, so an entity that two
windows found is kept once, from the window that saw more around it. Knows no model.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from wraner.chunks import Chunk, chunk
from wraner.entities import Entity, apart

MAX_BYTES = 2_000
"""A window's chunks in UTF-8; what is no words, such as digits, else passes what a model reads.

A token may be a single byte, and an answer writes the text once more behind the definitions.
"""

_SENTENCE_END = frozenset(".!?。！？…؟۔।")  # noqa: RUF001


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of a text; entities that begin in ``owned_start..owned_end`` are its own."""

    start: int
    end: int
    owned_start: int
    owned_end: int


def cut(source: str, *, words: int, overlap: int) -> tuple[Window, ...]:
    """Cut `source` into windows of at most `words` chunks that share about `overlap` of them.

    A window ends behind a sentence where one ends in its last third, else behind a chunk, or inside
    one that is longer than a window may be. A text without any chunk has no window.

    Raises:
        ValueError: the overlap is not smaller than half a window.
    """
    if not 0 <= 2 * overlap < words:
        raise ValueError(f"expected 0 <= 2 * overlap < words, was: {overlap} and {words}")
    chunks = tuple(part for c in chunk(source) for part in _parts(c))
    sizes = list(accumulate((len(c.text.encode()) for c in chunks), initial=0))
    bounds: list[tuple[int, int]] = []
    first = 0
    while chunks and (not bounds or bounds[-1][1] < len(chunks)):
        room = bisect_right(sizes, sizes[first] + MAX_BYTES) - 1 - first
        stop = _stop(chunks, first, min(words, room))
        bounds.append((first, stop))
        shared = overlap if room >= words else min(overlap, (stop - first) // 2)
        first = max(stop - shared, first + 1)
    return _owned(source, chunks, bounds)


def _parts(whole: Chunk) -> Iterator[Chunk]:
    """Yield a chunk, in parts where it is too long for a window; four bytes hold any character."""
    step = len(whole.text) if len(whole.text.encode()) <= MAX_BYTES else MAX_BYTES // 4
    for start in range(whole.start, whole.end, step):
        end = min(start + step, whole.end)
        yield Chunk(start, end, whole.text[start - whole.start : end - whole.start])


def _stop(chunks: Sequence[Chunk], first: int, words: int) -> int:
    stop = first + words
    if stop >= len(chunks):
        return len(chunks)
    for end in range(stop, first + words - words // 3, -1):
        if chunks[end - 1].text in _SENTENCE_END:
            return end
    return stop


def _owned(
    source: str, chunks: Sequence[Chunk], bounds: Sequence[tuple[int, int]]
) -> tuple[Window, ...]:
    windows: list[Window] = []
    owned_start = 0
    for number, (first, stop) in enumerate(bounds):
        owned_end = len(source)
        if number + 1 < len(bounds):
            owned_end = chunks[(bounds[number + 1][0] + stop) // 2].start
        windows.append(Window(chunks[first].start, chunks[stop - 1].end, owned_start, owned_end))
        owned_start = owned_end
    return tuple(windows)


def merge(found: Iterable[tuple[Window, Sequence[Entity]]]) -> tuple[Entity, ...]:
    """Return the entities of all windows with positions in the whole text, flat and in order.

    Each entity's positions are those inside its window. Where two still overlap, the higher score
    stays, then the longer, then the first.
    """
    shifted = [
        replace(e, start=e.start + w.start, end=e.end + w.start)
        for w, entities in found
        for e in entities
        if w.owned_start <= e.start + w.start < w.owned_end
    ]
    return apart(sorted(shifted, key=lambda e: (-e.score, e.start - e.end, e.start)))
