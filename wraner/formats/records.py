"""Records of JSON: the elements of one array, or one object a line; each with its place.

An array is read whole, lines stream. A key written twice, NaN and a file that was cut are refused.
Sources: RFC 8259 for JSON, https://jsonlines.org for lines. Knows no format of examples.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from wraner.errors import InvalidInput
from wraner.formats.lines import Line
from wraner.formats.spans import fault, shortened

_WHITE = " \t\n\r"


class Fields(BaseModel):
    """What is read of a record; other keys are metadata and passed over."""

    model_config = ConfigDict(frozen=True)


M = TypeVar("M", bound=Fields)


@dataclass(frozen=True, slots=True)
class Record:
    """A JSON value and where it stands: ``FILE:LINE``, in an array also its number."""

    where: str
    content: object

    def part(self, content: object) -> "Record":
        """Return a part of the record, which has the record's place."""
        return Record(self.where, content)

    def as_fields(self, model: type[M], *, shape: str) -> M:
        """Return the record as `model`; `shape` says what was expected.

        Raises:
            InvalidInput: it is not of that shape; names the place and the field.
        """
        try:
            return model.model_validate(self.content)
        except ValidationError as error:
            raise InvalidInput(
                f"{self.where}: expected {shape}, was: {fault(error)}; correct the record"
            ) from None


def iterate_records(lines: Iterable[Line], name: str) -> Iterator[Record]:
    """Yield the records of the file called `name`.

    Raises:
        InvalidInput: the file is neither a JSON array nor JSON lines; names file and line.
    """
    lines = iter(lines)
    for line in lines:
        if line.text.lstrip(_WHITE).startswith("["):
            before = "\n" * (line.number - 1)
            text = before + "\n".join(each.text for each in chain([line], lines))
            yield from _elements(text, name)
        elif line.text.strip(_WHITE):
            yield _object(line, f"{name}:{line.number}")


def _object(line: Line, where: str) -> Record:
    try:
        value, end = _DECODER.raw_decode(line.text, _skip(line.text, 0))
        rest = line.text[_skip(line.text, end) :]
    except (ValueError, RecursionError) as error:
        raise _not_json(error, line.text, where) from None
    if rest or not isinstance(value, dict):
        raise InvalidInput(
            f"{where}: expected one JSON object a line, or one JSON array in the file, was: "
            f"{shortened(rest or line.text)}; correct the line"
        )
    return Record(where, value)


def _elements(text: str, name: str) -> Iterator[Record]:
    position = _skip(text, _skip(text, 0) + 1)
    number, line, counted = 0, 1, 0
    closed = text.startswith("]", position)
    while not closed:
        number += 1
        line += text.count("\n", counted, position)
        counted = position
        where = f"{name}:{line}: record {number}"
        try:
            value, end = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise _not_json(error, text, where) from None
        yield Record(where, value)
        position = _skip(text, end)
        closed = text.startswith("]", position)
        if not closed and not text.startswith(",", position):
            raise _not_closed(text, position, where)
        position = _skip(text, position + 1) if not closed else position
    if rest := text[_skip(text, position + 1) :]:
        raise InvalidInput(
            f"{name}:{text.count(chr(10), 0, len(text) - len(rest)) + 1}: expected the file's end "
            f"behind its JSON array, was: {shortened(rest[:80])}; keep one array"
        )


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _WHITE:
        position += 1
    return position


def _not_closed(text: str, position: int, where: str) -> InvalidInput:
    if position >= len(text):
        return _cut(where)
    return InvalidInput(
        f"{where}: expected ',' or ']' behind the record, was: "
        f"{shortened(text[position : position + 40])}; correct the JSON"
    )


def _cut(where: str) -> InvalidInput:
    return InvalidInput(
        f"{where}: expected whole JSON, was: one that ends too early; get the whole file again"
    )


def _not_json(error: Exception, text: str, where: str) -> InvalidInput:
    if isinstance(error, json.JSONDecodeError):
        if error.pos >= len(text.rstrip(_WHITE)) or error.msg.startswith("Unterminated string"):
            return _cut(where)
        given = shortened(text[error.pos : error.pos + 40])
        return InvalidInput(
            f"{where}: expected JSON, was: {given} at line {error.lineno}, column {error.colno} "
            f"({error.msg}); correct it"
        )
    reason = "one nested too deeply" if isinstance(error, RecursionError) else str(error)
    return InvalidInput(f"{where}: expected plain JSON, was: {reason}; correct it")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r} twice in one object")
    return content


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name}, which JSON does not know")


_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_no_constant)


def render_array(records: Iterable[object]) -> Iterator[bytes]:
    """Yield a JSON array as a file's pieces, one element a line."""
    yield b"["
    for number, record in enumerate(records):
        yield (",\n" if number else "\n").encode()
        yield json.dumps(record, ensure_ascii=False).encode()
    yield b"\n]\n"
