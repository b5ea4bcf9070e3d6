"""wraner's own lines: one example a line as a JSON object, as a pack's `examples.jsonl` holds them.

Tagged and judged examples alike; the only format for the latter. Knows no pack and no other rule
than the models'.
"""

from collections.abc import Iterable, Iterator, Set
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from wraner.errors import InvalidInput
from wraner.formats.spans import fault
from wraner.packs import JudgedExample, TaggedExample

E = TypeVar("E", bound=BaseModel)

_OTHERS: dict[type[BaseModel], tuple[type[BaseModel], str, str]] = {
    TaggedExample: (JudgedExample, "a policy set", "policies"),
    JudgedExample: (TaggedExample, "a domain", "domains"),
}

_ANSWERED = "neighbours"  # what an answer has beside its entities


def parse_line(model: type[E], line: str, where: str) -> E:
    """Return a line's example.

    Raises:
        InvalidInput: the line is not that JSON object; preceded by `where`.
    """
    try:
        return model.model_validate_json(line)
    except ValidationError as error:
        extra = {str(e["loc"][0]) for e in error.errors() if e["type"] == "extra_forbidden"}
        _refuse_other_kind(model, extra, where)
        if _ANSWERED in extra:
            raise InvalidInput(
                f"{where}: this is an answer of `wraner extract`; have answers written with "
                f"--marked, correct them, and `wraner import` reads them"
            ) from None
        raise InvalidInput(f"{where}: {fault(error)}; correct the line") from None


def _refuse_other_kind(model: type[BaseModel], extra: Set[str], where: str) -> None:
    """Refuse a line whose `extra` fields are those of the other kind's examples.

    Raises:
        InvalidInput: it has; says where such examples go.
    """
    if model not in _OTHERS:
        return
    other, noun, group = _OTHERS[model]
    if fields := " and ".join(sorted(extra & set(other.model_fields))):
        raise InvalidInput(
            f"{where}: this is an example of {noun}, for it has {fields}; such a file goes into "
            f"one that is stored: wraner {group} examples add NAME FILE"
        ) from None


def render_lines(examples: Iterable[TaggedExample | JudgedExample]) -> Iterator[bytes]:
    """Yield the examples as lines."""
    for example in examples:
        yield example.model_dump_json().encode() + b"\n"
