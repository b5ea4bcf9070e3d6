"""Marked lines: texts with the entities that were found marked in them, to correct and import.

Knows no server.
"""

from contextlib import suppress
from typing import BinaryIO

from pydantic import TypeAdapter, ValidationError

from cli.texts import Bad, Text
from cli.whole_lines import WholeLines
from wraner.client.replies import Extraction
from wraner.entities import Mention
from wraner.formats.marked import LEGEND, marked_with_id
from wraner.packs import Label, TaggedExample

_ID: TypeAdapter[str] = TypeAdapter(Label)


class MarkedLines:
    """Writes results as marked text, of a record's other fields its id alone; a `stream.Sink`.

    What is refused or was cut short is a comment.
    """

    def __init__(self, out: BinaryIO) -> None:
        self._lines = WholeLines(out)
        self._begun = False

    def write(self, text: Text, result: Extraction) -> None:
        """Write a text with its entities."""
        if result.coverage.truncated:
            self._put(f"# {text.place}: the answer was cut short; entities may be missing")
        mentions = tuple(Mention(e.start, e.end, e.label) for e in result.entities)
        example = TaggedExample(text=text.text, entities=mentions)
        with suppress(ValidationError):  # what cannot be an example's id is not kept
            known_id = _ID.validate_python(text.fields.get("id"))
            example = example.model_copy(update={"id": known_id})
        self._put(marked_with_id(example, str(text.place)))

    def refuse(self, bad: Bad) -> None:
        """Write which line was refused, and why."""
        self._put(f"# {bad.place}: {' '.join(bad.error.split())}")

    def _put(self, line: str) -> None:
        if not self._begun:  # not before anything is there to be written
            self._begun = True
            self._put(LEGEND)
        self._lines.put(line.encode() + b"\n")
