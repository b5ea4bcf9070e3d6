"""The formats of tagged examples that wraner reads and writes, chosen by name.

What one of them wrote, it reads back as the same examples; entities come back in the order of
the text. Knows the formats' names and what their files look like, not how they are built.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from wraner.errors import InvalidInput
from wraner.formats.conll import iterate_sentences, render_sentences
from wraner.formats.gliner import read_samples, render_samples
from wraner.formats.jsonl import E, parse_line, render_lines
from wraner.formats.label_studio import read_tasks, render_tasks
from wraner.formats.lines import Line, decode_lines, split_lines
from wraner.formats.marked import looks_marked, read_marked, render_marked
from wraner.formats.spacy import read_pairs, render_pairs
from wraner.formats.spans import check_flat
from wraner.formats.tags import is_tag
from wraner.packs import JudgedExample, TaggedExample

_HEAD_BYTES = 65_536


class Format(StrEnum):
    """A format of tagged examples."""

    CONLL = "conll"
    JSONL = "jsonl"
    SPACY = "spacy"
    GLINER = "gliner"
    LABEL_STUDIO = "label-studio"
    MARKED = "marked"


_ENDINGS = {
    ".conll": Format.CONLL,
    ".bio": Format.CONLL,
    ".iob": Format.CONLL,
    ".iob2": Format.CONLL,
    ".jsonl": Format.JSONL,
    ".spacy": Format.SPACY,
}


def guess(path: Path) -> Format | None:
    """Return the format that a file's ending names; none for ``.json`` and ``.txt``: many use them.

    ``.spacy`` is spaCy's binary file, which `read` refuses with the way to convert it.
    """
    return _ENDINGS.get(path.suffix.lower())


def read(file: BinaryIO, format: Format, *, name: str) -> Iterator[TaggedExample]:  # noqa: A002
    """Yield the examples of a file; CoNLL and lines of JSON stream, a JSON array is read whole.

    Nothing is repaired or left out: what was yielded before an error is not the whole file.

    Raises:
        InvalidInput: the file is not of that format, is cut or is empty; names file and line, and
            the format that it looks like.
    """
    yield from _read(file, _READERS[format], name=name, expected=format)


def read_judged(file: BinaryIO, *, name: str) -> Iterator[JudgedExample]:
    """Yield the examples of a policy set, which only wraner's own lines can hold.

    Raises:
        InvalidInput: as `read`.
    """
    yield from _read(file, _judged_lines, name=name, expected=Format.JSONL)


def write(examples: Iterable[TaggedExample], file: BinaryIO, format: Format) -> None:  # noqa: A002
    """Write examples, one by one, so that `read` gives the same ones back.

    Raises:
        InvalidInput: there is no example, or one that the format cannot hold; what was written
            before is not a whole file.
    """
    file.writelines(_RENDERERS[format](_checked(_at_least_one(examples))))


def _tagged_lines(lines: Iterable[Line], name: str) -> Iterator[TaggedExample]:
    for line in lines:
        if line.text.strip():
            example = parse_line(TaggedExample, line.text, f"{name}:{line.number}")
            check_flat(example, f"{name}:{line.number}")
            yield example


def _judged_lines(lines: Iterable[Line], name: str) -> Iterator[JudgedExample]:
    for line in lines:
        if line.text.strip():
            yield parse_line(JudgedExample, line.text, f"{name}:{line.number}")


def _marked_lines(lines: Iterable[Line], name: str) -> Iterator[TaggedExample]:
    for _, example in read_marked(lines, name):
        yield example


_READERS: dict[Format, Callable[[Iterable[Line], str], Iterator[TaggedExample]]] = {
    Format.CONLL: iterate_sentences,
    Format.JSONL: _tagged_lines,
    Format.SPACY: read_pairs,
    Format.GLINER: read_samples,
    Format.LABEL_STUDIO: read_tasks,
    Format.MARKED: _marked_lines,
}
_RENDERERS: dict[Format, Callable[[Iterable[TaggedExample]], Iterator[bytes]]] = {
    Format.CONLL: render_sentences,
    Format.JSONL: render_lines,
    Format.SPACY: render_pairs,
    Format.GLINER: render_samples,
    Format.LABEL_STUDIO: render_tasks,
    Format.MARKED: render_marked,
}


def _read(
    file: BinaryIO,
    reader: Callable[[Iterable[Line], str], Iterator[E]],
    *,
    name: str,
    expected: Format,
) -> Iterator[E]:
    head = file.read(_HEAD_BYTES)
    found = False
    try:
        for example in reader(decode_lines(split_lines(head, file), name), name):
            found = True
            yield example
    except InvalidInput as error:
        looks = looks_like(head)
        other = looks is not None and looks is not expected
        hint = f"; this looks like {looks}: `wraner import --format {looks}` reads it"
        raise InvalidInput(error.message + (hint if other else "")) from None
    if not found:
        raise InvalidInput(
            f"{name}:1: expected at least one example, was: none in the file; name another file"
        )


def looks_like(head: bytes) -> Format | None:
    """Return the format that a file beginning with `head` seems to have."""
    text = head.decode("utf-8", errors="ignore").lstrip("\ufeff \t\r\n")
    first = _first_line(text)
    if any(map(looks_marked, (text.split("\n", 1)[0], first))):
        return Format.MARKED
    if not text.startswith(("[", "{")):
        fields = first.split()
        return Format.CONLL if len(fields) > 1 and is_tag(fields[-1]) else None
    if '"tokenized_text"' in text:
        return Format.GLINER
    if '"data"' in text and re.search('"(annotations|completions|predictions)"', text):
        return Format.LABEL_STUDIO
    if '"spans"' in text or re.match(r'\[\s*\[\s*"', text):
        return Format.SPACY
    own = text.startswith("{") and re.search('"(text|entities|violates|complies)"', text)
    return Format.JSONL if own else None


def _first_line(text: str) -> str:
    """Return the first line that is no comment."""
    return next((line for line in text.split("\n") if not line.startswith("#")), "")


def _at_least_one(examples: Iterable[E]) -> Iterator[E]:
    remaining = iter(examples)
    for first in remaining:
        return chain([first], remaining)
    raise InvalidInput("expected at least one example to write, was: none; add examples first")


def _checked(examples: Iterable[TaggedExample]) -> Iterator[TaggedExample]:
    for number, example in enumerate(examples, start=1):
        check_flat(example, f"example {number} ({example.id})")
        yield example
