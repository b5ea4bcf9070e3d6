"""Bodies: bytes on the wire -> plain JSON, read no further than the limit.

Duplicate keys, NaN, lone surrogates and deep nesting, which JSON readers pass over in silence or
choke on, are refused with an RFC 6901 pointer; so are objects of more or longer keys than any
contract's. Knows none.
"""

import json
import re
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

from services.problems import HTTP_ROWS, refusal
from wraner.errors import InvalidInput

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_MAX_QUOTED = 80
# There may be an error for every key, and each repeats those above it.
_MAX_KEYS, _MAX_KEY = 100, 200


async def read_body(
    chunks: AsyncIterator[bytes], *, content_type: str, encoding: str, length: str, limit: int
) -> bytes:
    """Collect a body, and give up as soon as it passes `limit` bytes, packed or unpacked."""
    # Without a type, or with another, a page of any site could have a browser send it unasked.
    if content_type.split(";")[0].strip().lower() != "application/json":
        given = content_type[:_MAX_QUOTED] or "none"
        raise refusal(
            HTTP_ROWS[415],
            f"expected Content-Type: application/json, was: {given}; send that header",
        )
    unpacker = _unpacker(encoding)
    too_large = refusal(
        HTTP_ROWS[413],
        f"the body is larger than the limit of {limit} bytes (WRANER_MAX_BODY_BYTES); "
        f"split it over several calls",
    )
    if length.isascii() and length.isdigit() and (len(length) > 18 or int(length) > limit):
        raise too_large
    parts, sent, size = [], 0, 0
    async for chunk in chunks:
        sent += len(chunk)
        part = chunk if unpacker is None else _unpacked(unpacker, chunk, limit - size + 1)
        size += len(part)
        if max(sent, size) > limit:
            raise too_large
        parts.append(part)
    if unpacker is not None and (not unpacker.eof or unpacker.unused_data):
        raise InvalidInput("the body does not end where its gzip does; send one whole stream")
    return b"".join(parts)


def _unpacker(encoding: str) -> "zlib._Decompress | None":
    """Return what reads a content coding, None where there is none; Google's clients use gzip."""
    given = encoding.strip().lower()
    if given in ("", "identity"):
        return None
    if given in ("gzip", "x-gzip"):
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    raise refusal(
        HTTP_ROWS[415],
        f"expected Content-Encoding: gzip, or none, was: {encoding[:_MAX_QUOTED]}",
        headers={"Accept-Encoding": "gzip"},
    )


def _unpacked(unpacker: "zlib._Decompress", chunk: bytes, most: int) -> bytes:
    """Return what a part of a body holds, up to `most` bytes, however small it was packed."""
    try:
        return unpacker.decompress(chunk, most)
    except zlib.error as error:
        raise InvalidInput(f"the body is no gzip: {error}") from None


class _Marked:
    """Stands for something that JSON readers pass over in silence: `message` says what."""

    def __init__(self, key: str, message: str) -> None:
        self.key = key
        self.message = message


def decode(body: bytes) -> Any:
    """Return what a JSON body says.

    Raises:
        InvalidInput: with a pointer to the part at fault.
    """
    marks: list[_Marked] = []

    def pairs(items: list[tuple[str, Any]]) -> Any:
        if len(items) > _MAX_KEYS:
            return mark(
                "", f"expected up to {_MAX_KEYS} keys in an object, was: {len(items)}; send fewer"
            )
        content = dict(items)
        longest = max(map(len, content), default=0)
        if longest > _MAX_KEY:
            return mark(
                "", f"expected keys of up to {_MAX_KEY} characters, was: {longest}; shorten it"
            )
        if len(content) == len(items):
            return content
        times = Counter(key for key, _ in items)
        twice = next(key for key, count in times.items() if count > 1)
        return mark(twice, f"the key {twice[:_MAX_QUOTED]!r} comes twice; keep one of them")

    def constant(name: str) -> Any:
        return mark("", f"{name} is no JSON number; send a finite number")

    def mark(key: str, message: str) -> _Marked:
        marks.append(_Marked(key, message))
        return marks[-1]

    try:
        content = json.loads(body.decode("utf-8"), object_pairs_hook=pairs, parse_constant=constant)
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"the body is not valid UTF-8 at byte {error.start}; encode it as UTF-8"
        ) from None
    except RecursionError:
        raise InvalidInput("the body is nested too deeply; flatten it") from None
    except json.JSONDecodeError as error:
        raise InvalidInput(
            f"the body is not valid JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from None
    except ValueError:  # Python refuses to read such numbers
        raise InvalidInput("the body holds a number of thousands of digits; shorten it") from None
    if marks or _ESCAPED_SURROGATE.search(body):
        _refuse_marked(content)
    return content


def _refuse_marked(content: Any) -> None:
    """Walk the whole body, which only suspicious ones are worth; no deeper than it is nested."""
    path: list[str | int] = [""]
    within: list[Iterator[tuple[str | int, Any]]] = [iter([("", content)])]
    while within:
        step, node = next(within[-1], (None, None))
        if step is None:
            within.pop()
            path.pop()
            continue
        path[-1] = step
        if isinstance(node, _Marked):
            key = pointer_step(node.key) if node.key else ""
            raise InvalidInput(node.message, pointer=_pointer(path) + key)
        if isinstance(node, str | dict) and _has_surrogate(node):
            raise _surrogate(_pointer(path))
        if isinstance(node, list | dict):
            path.append("")
            within.append(iter(enumerate(node) if isinstance(node, list) else node.items()))


def _has_surrogate(node: str | dict[str, Any]) -> bool:
    """Return whether half a pair is in a string, or in a key."""
    return any(map(_SURROGATE.search, [node] if isinstance(node, str) else node))


def _pointer(path: list[str | int]) -> str:
    return "".join(pointer_step(str(step)) for step in path[1:])


def _surrogate(pointer: str) -> InvalidInput:
    return InvalidInput(
        "half of a surrogate pair (an escape such as \\ud83d on its own) is no character; "
        "send the whole character or leave it out",
        pointer=pointer,
    )


def pointer_step(key: str) -> str:
    """Return a key as one step of a JSON pointer."""
    return "/" + key.replace("~", "~0").replace("/", "~1")
