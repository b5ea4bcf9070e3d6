"""Texts: arguments, files and standard input -> texts to ask about, each with its place.

Reads lazily, a line at a time. A line that cannot be asked about comes out as `Bad`, in its place,
so that nothing is lost and nothing stands in the way of the rest. Knows no server.
"""

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from wraner.formats.lines import refuse_binary

MAX_LINE_BYTES = 8 * 2**20
"""A longer line is not kept in memory; no server takes it (WRANER_MAX_BODY_BYTES)."""
_BOM = b"\xef\xbb\xbf"
_JSON_LINES = (".jsonl", ".ndjson")


@dataclass(frozen=True, slots=True)
class Source:
    """Where texts come from: lines or JSON lines; `file` "" is standard input or arguments."""

    lines: Iterator[bytes]
    jsonl: bool
    file: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a text stood: its `line` in its `file`, and its `number` over all inputs, from 1."""

    number: int
    line: int
    file: str = ""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}" if self.file else f"line {self.line}"


@dataclass(frozen=True, slots=True)
class Text:
    """A text to ask about; `fields` are its JSON record's other fields."""

    place: Place
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that cannot be asked about, and why."""

    place: Place
    error: str
    fields: Mapping[str, Any] = field(default_factory=dict)


Input = Text | Bad


class _Unfit(Exception):
    """A line is no text; the message says why."""


def from_arguments(texts: Sequence[str], *, jsonl: bool) -> Source:
    """Return arguments as a source, each as a line."""
    # Python keeps arguments' undecodable bytes as lone surrogates; this gives the bytes back.
    return Source((text.encode("utf-8", "surrogateescape") for text in texts), jsonl=jsonl)


def from_file(path: Path, *, jsonl: bool) -> Source:
    """Return a file as a source; its ending, `.jsonl` or `.ndjson`, says the same as `jsonl`."""
    return Source(
        lines_of(lambda: path.open("rb"), str(path)),
        jsonl=jsonl or path.suffix.lower() in _JSON_LINES,
        file=str(path),
    )


def lines_of(opened: Callable[[], BinaryIO], name: str) -> Iterator[bytes]:
    """Yield lines without their ends; of an over-long one only enough to tell that it is.

    Raises:
        InvalidInput: what is called `name` is UTF-16 or no text; read by the byte it would give
            texts that nobody wrote.
    """
    with opened() as file:
        mark = _BOM
        while line := file.readline(MAX_LINE_BYTES + 1):
            if mark:
                refuse_binary(line, name)
            over = len(line) > MAX_LINE_BYTES
            rest = line
            while over and rest and not rest.endswith(b"\n"):
                rest = file.readline(MAX_LINE_BYTES + 1)
            line, mark = line.removeprefix(mark), b""
            yield line if over else line.removesuffix(b"\n").removesuffix(b"\r")


def read(sources: Sequence[Source], *, field: str, skip: int) -> Iterator[Input]:
    """Yield what the sources hold, in order, without the first `skip` lines.

    `field` names the field of JSON records that holds the text.
    """
    number = 0
    for source in sources:
        for line, content in enumerate(source.lines, start=1):
            number += 1
            if number > skip:
                place = Place(number, line, source.file)
                yield _input(content, place, field if source.jsonl else "")


def _input(content: bytes, place: Place, field: str) -> Input:
    fields: dict[str, Any] = {}
    try:
        line = _decoded(content)
        if not field:
            return Text(place, _visible(line))
        fields = _record(_visible(line))
        if field not in fields:
            raise _Unfit(f"expected the text in the field {field!r}; name another: --jsonl-field")
        text = fields.pop(field)
        if not isinstance(text, str):
            raise _Unfit(f"expected a string in {field!r}, was: {type(text).__name__}")
        text.encode()
        return Text(place, _visible(text), fields)
    except UnicodeEncodeError:
        return Bad(place, "half of a surrogate pair is no character; send the whole one", fields)
    except _Unfit as error:
        return Bad(place, str(error), fields)


def _decoded(content: bytes) -> str:
    if len(content) > MAX_LINE_BYTES:
        raise _Unfit(f"the line is longer than {MAX_LINE_BYTES} bytes; split it")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise _Unfit(f"not valid UTF-8 at byte {error.start}; encode it as UTF-8") from None


def _visible(text: str) -> str:
    if not text.strip():
        raise _Unfit("empty; expected at least one visible character")
    return text


def _record(line: str) -> dict[str, Any]:
    try:
        record = json.loads(
            line, object_pairs_hook=_once, parse_constant=_refuse, parse_float=_finite
        )
    except json.JSONDecodeError as error:
        fault = error.msg.removesuffix(" starting at")
        raise _Unfit(f"not valid JSON at column {error.colno}: {fault}") from None
    except RecursionError:
        raise _Unfit("nested too deeply; flatten it") from None
    except ValueError:  # Python refuses to read numbers of thousands of digits
        raise _Unfit("holds a number of thousands of digits; shorten it") from None
    if not isinstance(record, dict):
        raise _Unfit(f"expected a JSON object, was: {type(record).__name__}")
    return record


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    record = dict(pairs)
    if len(record) < len(pairs):
        raise _Unfit("a key comes twice; keep one of them")
    return record


def _refuse(name: str) -> Any:
    raise _Unfit(f"{name} is no JSON number; write a finite one")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):  # it would come back as Infinity, which is no JSON
        raise _Unfit(f"holds a number beyond {sys.float_info.max:.2g}; write a smaller one")
    return number
