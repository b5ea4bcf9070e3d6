"""Records: results as JSON lines on standard output, each out as soon as it is there.

A record is the input's other fields, its text, and the result as the HTTP contract has it. An
input's field by the name of a result's field is kept under "given". Knows no terminal.
"""

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

from pydantic import BaseModel

from cli.texts import Bad, Text
from cli.whole_lines import WholeLines

TEXT, GIVEN = "text", "given"


class Records:
    """Writes results as JSON lines; a `stream.Sink`."""

    def __init__(self, out: BinaryIO) -> None:
        self._lines = WholeLines(out)

    def write(self, text: Text, result: BaseModel) -> None:
        """Write a result."""
        own = {TEXT: text.text, **result.model_dump(mode="json")}
        self.put(_joined(text.fields, own))

    def refuse(self, bad: Bad) -> None:
        """Write why a line has no result."""
        where = {"file": bad.place.file} if bad.place.file else {}
        self.put(_joined(bad.fields, {**where, "line": bad.place.line, "error": bad.error}))

    def put(self, record: Mapping[str, Any]) -> None:
        """Write a record.

        Raises:
            OSError: as `WholeLines.put`.
        """
        self._lines.put(encoded(record))


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
