"""Entities: where they stand, what they are called, how sure.

Positions are half-open Unicode code points; entities of one text are flat. Knows no prompt.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, StrictInt, StrictStr

from wraner.chunks import chunk
from wraner.errors import InvalidInput


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a text, half-open in code points."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, order=True)
class Mention:
    """A gold entity: a labelled stretch of an example's text."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    start: Annotated[StrictInt, Field(ge=0)]
    end: Annotated[StrictInt, Field(ge=1)]
    label: StrictStr


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """A found entity; ``text == source[start:end]``, score in 0..1."""

    start: int
    end: int
    text: str
    label: str
    score: float


def apart(ranked: Iterable[Entity]) -> tuple[Entity, ...]:
    """Return entities in order of their places; of two that overlap the one named first stays."""
    kept: list[Entity] = []
    for entity in ranked:
        place = bisect_left(kept, entity.start, key=lambda other: other.start)
        before_ends = not place or kept[place - 1].end <= entity.start
        after_starts = place == len(kept) or entity.end <= kept[place].start
        if before_ends and after_starts:
            kept.insert(place, entity)
    return tuple(kept)


def check_mentions(text: str, mentions: Sequence[Mention], labels: Iterable[str]) -> None:
    """Refuse mentions that are out of range, cut a word, are undeclared or overlap.

    Raises:
        InvalidInput: with a pointer such as ``/entities/2/end`` relative to the example.
    """
    known = frozenset(labels)  # one that is given is no copy: a pack has as many as examples
    starts, ends = _borders(text)
    for number, m in enumerate(mentions):
        where = f"/entities/{number}"
        if m.label not in known:
            raise InvalidInput(
                f"label {m.label!r} is not declared; declared are: {', '.join(sorted(known))}",
                pointer=f"{where}/label",
            )
        if not 0 <= m.start < m.end <= len(text):
            raise InvalidInput(
                f"expected 0 <= start < end <= {len(text)} (code points, end exclusive), "
                f"was: start {m.start}, end {m.end}",
                pointer=where,
            )
        if m.start not in starts or m.end not in ends:
            raise InvalidInput(
                f"an entity must begin and end at the border of a word or mark, without white "
                f"space at its ends, was: {text[m.start : m.end]!r}; move start and end there",
                pointer=where,
            )
    in_order = sorted(range(len(mentions)), key=lambda i: mentions[i])
    for left, right in pairwise(in_order):
        if mentions[right].start < mentions[left].end:
            raise InvalidInput(
                f"entities may not overlap: {mentions[left].start}..{mentions[left].end} and "
                f"{mentions[right].start}..{mentions[right].end}; keep one of them",
                pointer=f"/entities/{right}",
            )


def _borders(text: str) -> tuple[set[int], set[int]]:
    chunks = chunk(text)
    return {c.start for c in chunks}, {c.end for c in chunks}
