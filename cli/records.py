"""Records: results as JSON lines on standard output, each out as soon as it is there.

A record is the input's other fields, its text, and the result as the HTTP contract has it. An
input's field by the name of a result's field is kept under "given". Knows no terminal.
"""

import errno
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, BinaryIO

from pydantic import BaseModel

from cli.texts import Bad, Text

TEXT, GIVEN = "text", "given"


class Records:
    """Writes results as JSON lines; a `stream.Sink`."""

    def __init__(self, out: BinaryIO) -> None:
        out.flush()
        # Unbuffered: a buffer would keep the rest of a record that fails, and write it at the end.
        self._out = getattr(out, "raw", out)

    def write(self, text: Text, result: BaseModel) -> None:
        """Write a result."""
        own = {TEXT: text.text, **result.model_dump(mode="json")}
        self.put(_joined(text.fields, own))

    def refuse(self, bad: Bad) -> None:
        """Write why a line has no result."""
        where = {"file": bad.place.file} if bad.place.file else {}
        self.put(_joined(bad.fields, {**where, "line": bad.place.line, "error": bad.error}))

    def put(self, record: Mapping[str, Any]) -> None:
        """Write a record; where a file has no room for the whole, nothing of it stays.

        Raises:
            OSError: it could not be written.
        """
        line, written = memoryview(encoded(record)), 0
        try:
            while written < len(line):
                taken = self._out.write(line[written:])
                if taken is None:
                    raise BlockingIOError(errno.EAGAIN, "standard output would block")
                written += taken
            self._out.flush()
        except OSError:
            self._take_back(written)
            raise

    def _take_back(self, written: int) -> None:
        """Cut the last bytes off, if this is a file and nobody has written behind them."""
        with suppress(OSError):  # no file, but a pipe or a terminal
            file = self._out.fileno()
            end, found = os.lseek(file, 0, os.SEEK_CUR), os.fstat(file)
            if stat.S_ISREG(found.st_mode) and found.st_size == end:
                os.ftruncate(file, end - written)
                os.lseek(file, end - written, os.SEEK_SET)


def encoded(record: Mapping[str, Any]) -> bytes:
    """Return a record as a line of JSON."""
    try:
        return json.dumps(record, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair in a field that is passed through
        return json.dumps(record).encode() + b"\n"


def _joined(fields: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    free = {name: value for name, value in fields.items() if name not in own and name != GIVEN}
    taken = {name: value for name, value in fields.items() if name not in free}
    return {**free, **own, **({GIVEN: taken} if taken else {})}
