"""Asked texts: those of a file that a pack is tested on, and the lines that are left out.

Both kinds of pack are tested on examples of their own form. Knows neither kind.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Self, TypeVar

from cli.counts import counted
from cli.texts import Place, Text
from wraner.errors import InvalidInput
from wraner.pack_folders import iterate_examples, on_line
from wraner.packs import (
    Example,
    JudgedExample,
    Pack,
    TaggedExample,
    check_examples,
    definitions_of,
)

E = TypeVar("E", JudgedExample, TaggedExample)

REPEATED = "in the words of an earlier line, which counts"
_LINES_NAMED = 10


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Lines that measure nothing, and why each of them does not."""

    lines: tuple[int, ...]
    why: str

    def __str__(self) -> str:
        named = ", ".join(map(str, self.lines[:_LINES_NAMED]))
        more = ", …" if len(self.lines) > _LINES_NAMED else ""
        lines = f"{'line' if len(self.lines) == 1 else 'lines'} {named}{more}"
        return f"left out {counted(len(self.lines), 'text')} ({lines}): each {self.why}"


@dataclass(frozen=True, slots=True)
class AskedTexts(Generic[E]):
    """Examples to ask about by their lines, and what was left out, each for a reason of its own."""

    examples: Mapping[int, E]
    left_out: tuple[LeftOut, ...]

    @classmethod
    def of(cls, examples: Mapping[int, E], left_out: Mapping[str, Sequence[int]]) -> Self:
        """Return them, with the lines that were left out by their reasons."""
        named = (LeftOut(tuple(lines), why) for why, lines in left_out.items() if lines)
        return cls(examples, tuple(named))

    def texts(self) -> list[Text]:
        """Return the texts with their places."""
        return [
            Text(Place(number, line), example.text)
            for number, (line, example) in enumerate(self.examples.items(), start=1)
        ]

    def check_any(self, file: Path, expected: str) -> None:
        """Refuse a file of which nothing is left to ask about; `expected` says what is.

        Raises:
            InvalidInput: it is so; says what was left out.
        """
        if not self.examples:
            said = "; ".join(map(str, self.left_out)) or "no line"
            raise InvalidInput(f"{file}: expected {expected}, was: {said}")


def checked_lines(file: Path, pack: Pack) -> Iterator[tuple[int, Example]]:
    """Yield line numbers and examples, each checked against what the pack defines.

    Raises:
        InvalidInput: a line is no such example; names the file and the line.
    """
    definitions = definitions_of(pack)
    for line, example in iterate_examples(file, definitions):
        try:
            check_examples(definitions, [example])
        except InvalidInput as error:
            raise on_line(file, line, error) from None
        yield line, example
