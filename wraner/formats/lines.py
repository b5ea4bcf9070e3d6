"""Lines of a file as text: UTF-8, or a refusal that says what the bytes look like.

A byte order mark and carriage returns before line feeds are accepted; only a line feed ends a
line, for texts may hold U+2028 and its like. Streams. Knows no format of examples.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from wraner.errors import InvalidInput

_BOM = b"\xef\xbb\xbf"
_CONVERT = "convert it, for instance: iconv -f {} -t utf-8"
_DOC_BIN = (
    "write it as JSON, with spaCy: docs = DocBin().from_disk(PATH).get_docs(nlp.vocab); "
    'json.dump([[d.text, {"entities": [[e.start_char, e.end_char, e.label_] for e in d.ents]}] '
    "for d in docs], file)"
)
# (first bytes, what begins with them, way out); zlib's mark is spaCy's, which packs with zlib.
_SIGNATURES = (
    (b"\x1f\x8b", "a gzip archive", "unpack it with gunzip"),
    (b"PK\x03\x04", "a zip archive or a spreadsheet", "unpack it, or export it as text"),
    (b"\x78\x9c", "a binary file of spaCy (DocBin)", _DOC_BIN),
    (b"\xff\xfe", "UTF-16 text", _CONVERT.format("utf-16")),
    (b"\xfe\xff", "UTF-16 text", _CONVERT.format("utf-16")),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end; `ended` is false only for a last line that lacks its line feed."""

    number: int
    text: str
    ended: bool


def split_lines(head: bytes, rest: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file whose first bytes, `head`, were already read from it."""
    *whole, last = head.split(b"\n")
    for line in whole:
        yield line + b"\n"
    last += rest.readline()
    if last:
        yield last
    yield from rest


def decode_lines(lines: Iterable[bytes], name: str) -> Iterator[Line]:
    """Yield the lines of the file called `name` as text.

    Raises:
        InvalidInput: a line is not UTF-8; names file and line.
    """
    for number, line in enumerate(lines, start=1):
        if number == 1:
            refuse_binary(line, name)
            line = line.removeprefix(_BOM)
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _not_utf8(error, line, f"{name}:{number}") from None
        ended = text.endswith("\n")
        yield Line(number, text.removesuffix("\n").removesuffix("\r"), ended)


def refuse_binary(line: bytes, name: str) -> None:
    """Refuse a first line that is no beginning of UTF-8 text.

    Raises:
        InvalidInput: it begins as another kind of file does.
    """
    for signature, what, way_out in _SIGNATURES:
        if line.startswith(signature):
            raise InvalidInput(f"{name}:1: expected UTF-8 text, was: {what}; {way_out}")
    if b"\0" in line[:2]:
        way_out = _CONVERT.format("utf-16le" if line[1:2] == b"\0" else "utf-16be")
        raise InvalidInput(f"{name}:1: expected UTF-8 text, was: UTF-16 text; {way_out}")


def _not_utf8(error: UnicodeDecodeError, line: bytes, where: str) -> InvalidInput:
    if error.reason == "unexpected end of data" and not line.endswith(b"\n"):
        return InvalidInput(
            f"{where}: expected a whole file, was: one that ends in the middle of a character; "
            f"get the whole file again"
        )
    way_out = _CONVERT.format("latin1") + " (or the encoding that it has)"
    return InvalidInput(
        f"{where}: expected UTF-8 text, was: byte 0x{line[error.start]:02x} at byte "
        f"{error.start + 1} of the line; {way_out}"
    )
