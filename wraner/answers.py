"""Answers: what may be answered, and how an answer reads.

One line per mention, ``label: span``, in the order of the text, repeats repeated; ``none`` where
there is none. A line's span must be a run of the text's own chunks that begins at or after the end
of the line before it, so an answer is grounded, declared, flat and finite by construction.

Spans are written with each run of white space as one blank. A line names the first place from the
cursor on where its words stand: an equal stretch that stands earlier, untagged, would be taken
instead (1 mention in 67,000 of CrossNER with conll2003). Knows no model and no tokenizer.
"""

import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from wraner.chunks import chunk
from wraner.entities import Mention

NONE = "none"


@dataclass(frozen=True)
class FlatText:
    """A text with every run of white space as one blank, and its chunks' places in both.

    `flat` is what prompts show. Chunk ``i`` stands at ``source[starts[i]:ends[i]]`` and at
    ``flat[flat_starts[i]:flat_ends[i]]``.
    """

    flat: str
    starts: tuple[int, ...]
    ends: tuple[int, ...]
    flat_starts: tuple[int, ...]
    flat_ends: tuple[int, ...]

    @classmethod
    def of(cls, source: str) -> "FlatText":
        """Flatten `source`."""
        pieces: list[str] = []
        flat_starts: list[int] = []
        chunks = chunk(source)
        at = end = 0
        for c in chunks:
            if pieces and c.start > end:
                pieces.append(" ")
                at += 1
            flat_starts.append(at)
            pieces.append(c.text)
            at += len(c.text)
            end = c.end
        return cls(
            "".join(pieces),
            tuple(c.start for c in chunks),
            tuple(c.end for c in chunks),
            tuple(flat_starts),
            tuple(s + len(c.text) for s, c in zip(flat_starts, chunks, strict=True)),
        )

    @cached_property
    def _chunk_at(self) -> dict[int, int]:
        return {s: i for i, s in enumerate(self.flat_starts)}

    @cached_property
    def _chunk_to(self) -> dict[int, int]:
        return {e: i for i, e in enumerate(self.flat_ends)}

    def span(self, start: int, end: int) -> str:
        """Return ``source[start:end]`` as an answer writes it."""
        first, last = bisect_left(self.starts, start), bisect_left(self.ends, end)
        return self.flat[self.flat_starts[first] : self.flat_ends[last]]

    def find(self, words: str, cursor: int) -> tuple[int, int] | None:
        """Return the first run of whole chunks from chunk `cursor` on that reads `words`."""
        if not words or cursor >= len(self.starts):
            return None
        at = self.flat.find(words, self.flat_starts[cursor])
        while at >= 0:
            first, last = self._chunk_at.get(at), self._chunk_to.get(at + len(words))
            if first is not None and last is not None:
                return first, last + 1
            at = self.flat.find(words, at + 1)
        return None

    def pieces(self, cursor: int) -> list[str]:
        """Return chunks and the blanks between them from chunk `cursor` on, for a grammar."""
        parts: list[str] = []
        for i in range(cursor, len(self.starts)):
            if i > cursor and self.flat_starts[i] > self.flat_ends[i - 1]:
                parts.append(" ")
            parts.append(self.flat[self.flat_starts[i] : self.flat_ends[i]])
        return parts


def write_label(label: str) -> str:
    """Return a label as an answer and a prompt write it.

    A label that could be confused with the line's own syntax is quoted as a JSON string.
    """
    if ":" in label or label.startswith('"') or label == NONE:
        return json.dumps(label, ensure_ascii=False)
    return label


@dataclass(frozen=True)
class Aligned:
    """The mentions of an answer, each with the number of its line, and how many lines fell out."""

    mentions: tuple[Mention, ...]
    lines: tuple[int, ...]
    dropped: int


@dataclass(frozen=True)
class AnswerSpec:
    """What may be answered about `text`: mentions with these `labels`, or none."""

    labels: tuple[str, ...]
    text: str

    @cached_property
    def flat(self) -> FlatText:
        """The text as prompts show it, with its chunks."""
        return FlatText.of(self.text)

    @cached_property
    def _by_written(self) -> dict[str, str]:
        return {write_label(name): name for name in self.labels}

    def line_grammar(self, cursor: int) -> str | None:
        """Return the llguidance grammar (Lark) of the next line, after chunk `cursor`.

        The empty line is permitted where the answer may end: everywhere but at the very start,
        where ``none`` says so. None where nothing is left to name.
        """
        pieces = self.flat.pieces(cursor)
        if not pieces:
            return None
        otherwise = f'"{NONE}" EOL' if cursor == 0 else '""'
        labels = " | ".join(json.dumps(written) for written in self._by_written)
        chunks = json.dumps({"substring_chunks": pieces})
        return (
            f'start: {otherwise} | label ": " SPAN EOL\n'
            f"label: {labels}\n"
            'EOL: "\\n"\n'
            f"SPAN: %regex {chunks} & /\\S(.*\\S)?/\n"
        )

    def align_line(self, line: str, cursor: int) -> tuple[Mention, int] | None:
        """Return the mention that a line names and the cursor behind it, or None.

        None where the label is not declared or the span does not stand at or after `cursor`.
        """
        written, separator, words = _split(line)
        label = self._by_written.get(written)
        found = self.flat.find(words, cursor) if separator and label is not None else None
        if found is None or label is None:
            return None
        first, stop = found
        return Mention(self.flat.starts[first], self.flat.ends[stop - 1], label), stop

    def guess(self, begun: str, cursor: int) -> str:
        """Return how a line probably goes on: a span's next words while they look like a name.

        Empty where no span has begun or where its last word is not whole yet.
        """
        _, separator, words = _split(begun)
        found = self.flat.find(words, cursor) if separator else None
        if found is None:
            return ""
        stop = reach = found[1]
        while (
            reach < len(self.flat.starts) and self.flat.flat[self.flat.flat_starts[reach]].isupper()
        ):
            reach += 1
        from_, to = self.flat.flat_ends[stop - 1], self.flat.flat_ends[reach - 1]
        return self.flat.flat[from_:to] + "\n"

    def parse(self, lines: Iterable[str]) -> Aligned:
        """Align an answer's lines with the text, left to right.

        What is undeclared, ungrounded or out of order is dropped and counted.
        """
        mentions: list[Mention] = []
        numbers: list[int] = []
        cursor = dropped = 0
        for number, line in enumerate(lines):
            if line == NONE:
                continue
            aligned = self.align_line(line, cursor)
            if aligned is None:
                dropped += 1
                continue
            mention, cursor = aligned
            mentions.append(mention)
            numbers.append(number)
        return Aligned(tuple(mentions), tuple(numbers), dropped)

    def render(self, mentions: Sequence[Mention]) -> str:
        """Write mentions as an answer; `parse` of its lines gives them back."""
        lines = [
            f"{write_label(m.label)}: {self.flat.span(m.start, m.end)}" for m in sorted(mentions)
        ]
        return "\n".join(lines or [NONE]) + "\n"


def _split(line: str) -> tuple[str, str, str]:
    if not line.startswith('"'):
        return line.partition(": ")
    try:
        _, end = json.JSONDecoder().raw_decode(line)
    except ValueError:
        return "", "", ""
    separator = line[end : end + 2]
    return line[:end], separator if separator == ": " else "", line[end + 2 :]
