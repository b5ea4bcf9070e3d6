"""Long texts: overlapping windows at sentence or word borders, and the way back.

Each window owns the stretch up to the middle of its overlap with the next. An entity that two
windows found is kept once: from the window that owns its beginning, which saw more around it,
unless that window saw it cut. Knows no model.
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

    `found` has the windows in order; each entity's positions are those inside its window. One that
    its window does not own only counts where a window beside found something there too. Where two
    overlap, one that is not cut stays, then one that is owned, then the higher score, the longer
    and the first.
    """
    seen = [(w, [_shifted(e, w.start) for e in entities]) for w, entities in found]
    ranked: list[tuple[tuple[bool, bool], Entity]] = []
    for number, (window, entities) in enumerate(seen):
        beside = [e for n in (number - 1, number + 1) if 0 <= n < len(seen) for e in seen[n][1]]
        near = [e for e in beside if e.start < window.end and window.start < e.end]
        # The text goes on there: an entity that reaches so far may be cut.
        edges = (window.start if number else -1, window.end if number + 1 < len(seen) else -1)
        for e in entities:
            owned = window.owned_start <= e.start < window.owned_end
            if owned or any(o.start < e.end and e.start < o.end for o in near):
                ranked.append(((_is_cut(e, edges, near), not owned), e))
    ranked.sort(key=lambda r: (*r[0], -r[1].score, r[1].start - r[1].end, r[1].start))
    return apart(e for _, e in ranked)


def _shifted(entity: Entity, by: int) -> Entity:
    return replace(entity, start=entity.start + by, end=entity.end + by)


def _is_cut(entity: Entity, edges: tuple[int, int], near: Sequence[Entity]) -> bool:
    """Return whether an entity ends with its window, and no window beside saw it end there too."""
    reaches = entity.start == edges[0] or entity.end == edges[1]
    return reaches and all((o.start, o.end) != (entity.start, entity.end) for o in near)
