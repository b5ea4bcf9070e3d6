"""wraner's own lines: one example a line as a JSON object, as a pack's `examples.jsonl` holds them.

Tagged and judged examples alike; the only format for the latter. Knows no pack and no other rule
than the models'.
"""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from wraner.errors import InvalidInput
from wraner.formats.spans import shortened
from wraner.packs import JudgedExample, TaggedExample

E = TypeVar("E", bound=BaseModel)


def parse_line(model: type[E], line: str, where: str) -> E:
    """Return a line's example.

    Raises:
        InvalidInput: the line is not that JSON object; preceded by `where`.
    """
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = "/".join(map(str, first["loc"]))
        raise InvalidInput(
            f"{where}: {field or 'line'}: {first['msg']}, was: {shortened(first['input'])}; "
            f"correct the line"
        ) from None


def render_lines(examples: Iterable[TaggedExample | JudgedExample]) -> Iterator[bytes]:
    """Yield the examples as lines."""
    for example in examples:
        yield example.model_dump_json().encode() + b"\n"
