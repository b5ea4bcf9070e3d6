"""Answers: what may be answered, and how an answer reads.

The whole text cut into lines, each a label, a colon and the next words; a dash stands for words of
no type. So every word is decided upon, as in GNER (Ding et al. 2024: what is no entity must be
taught too), each line stands in one place, and an answer is grounded, declared, flat and finite by
construction. Words are written with each run of white space as one blank. Knows no model and no
tokenizer.
"""

import json
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from wraner.chunks import chunk
from wraner.entities import Mention

GAP = "-"


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

    def chunk(self, number: int) -> str:
        """Return a chunk's words."""
        return self.flat[self.flat_starts[number] : self.flat_ends[number]]

    def blank_before(self, number: int) -> str:
        """Return the blank between a chunk and the one before it, "" where there is none."""
        apart = number and self.flat_starts[number] > self.flat_ends[number - 1]
        return " " if apart else ""


def write_label(label: str) -> str:
    """Return a label as an answer and a prompt write it.

    A label that could be confused with the line's own syntax is quoted as a JSON string.
    """
    if ":" in label or label.startswith('"') or label == GAP:
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
    """What may be answered about `text`: mentions with these `labels`."""

    labels: tuple[str, ...]
    text: str

    @cached_property
    def flat(self) -> FlatText:
        """The text as prompts show it, with its chunks."""
        return FlatText.of(self.text)

    @cached_property
    def _by_written(self) -> dict[str, str]:
        return {write_label(name): name for name in self.labels}

    def grammar(self) -> str:
        """Return the llguidance grammar (Lark) of an answer.

        Rule ``a`` of a chunk begins a line there, ``b`` a mention's line, ``g`` goes on with words
        of no type and ``e`` with a mention; two lines of no type never follow each other.
        """
        labels = " | ".join(json.dumps(written) for written in self._by_written)
        rules = ["start: a0", f"label: {labels}"]
        last = len(self.flat.starts) - 1
        for i in range(last + 1):
            words = json.dumps(self.flat.chunk(i))
            rules += [f'a{i}: "{GAP}: " g{i} | b{i}', f'b{i}: label ": " e{i}']
            for here, behind in (("g", "b"), ("e", "a")):
                if i == last:
                    rules.append(f'{here}{i}: {words} "\\n"')
                else:
                    blank = '" " ' if self.flat.blank_before(i + 1) else ""
                    on = f'{blank}{here}{i + 1} | "\\n" {behind}{i + 1}'
                    rules.append(f"{here}{i}: {words} ({on})")
        return "\n".join(rules) + "\n"

    def align_line(self, line: str, cursor: int) -> tuple[Mention | None, int] | None:
        """Return what a line names and the cursor behind it; of words of no type, no mention.

        None where the label is not declared or the words do not stand at or after chunk `cursor`.
        """
        written, separator, words = _split(line)
        label = self._by_written.get(written)
        found = self.flat.find(words, cursor) if separator else None
        if found is None or (label is None and written != GAP):
            return None
        first, stop = found
        if label is None:
            return None, stop
        return Mention(self.flat.starts[first], self.flat.ends[stop - 1], label), stop

    def guess(self, begun: str, cursor: int) -> str:
        """Return how a line probably goes on: to where words begin, or cease, to look like names.

        Empty where no words have begun or where the last one is not whole yet.
        """
        written, separator, words = _split(begun)
        found = self.flat.find(words, cursor) if separator else None
        if found is None:
            return ""
        stop = reach = found[1]
        names = written != GAP
        while reach < len(self.flat.starts) and self.flat.chunk(reach)[0].isupper() == names:
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
            aligned = self.align_line(line, cursor)
            if aligned is None:
                dropped += 1
                continue
            mention, cursor = aligned
            if mention is not None:
                mentions.append(mention)
                numbers.append(number)
        return Aligned(tuple(mentions), tuple(numbers), dropped)

    def render(self, mentions: Sequence[Mention]) -> str:
        """Write mentions as an answer; `parse` of its lines gives them back."""
        lines: list[str] = []
        cursor = 0
        for m in sorted(mentions):
            first, last = bisect_left(self.flat.starts, m.start), bisect_left(self.flat.ends, m.end)
            if first > cursor:
                lines.append(self._line(GAP, cursor, first))
            lines.append(self._line(write_label(m.label), first, last + 1))
            cursor = last + 1
        if cursor < len(self.flat.starts):
            lines.append(self._line(GAP, cursor, len(self.flat.starts)))
        return "\n".join(lines) + "\n"

    def _line(self, written: str, first: int, stop: int) -> str:
        """Write chunks `first` to `stop` as a line."""
        start, end = self.flat.flat_starts[first], self.flat.flat_ends[stop - 1]
        return f"{written}: {self.flat.flat[start:end]}"


def _split(line: str) -> tuple[str, str, str]:
    if not line.startswith('"'):
        return line.partition(": ")
    try:
        _, end = json.JSONDecoder().raw_decode(line)
    except ValueError:
        return "", "", ""
    separator = line[end : end + 2]
    return line[:end], separator if separator == ": " else "", line[end + 2 :]
