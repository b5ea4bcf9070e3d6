"""What every format holds of an example: a text and flat spans, each with one label.

Foreign spans become a tagged example here, in the order of the text, or are refused with their
place. Knows no file.
"""

from collections.abc import Iterable
from itertools import pairwise

from pydantic import TypeAdapter, ValidationError

from wraner.entities import Mention
from wraner.errors import InvalidInput
from wraner.packs import Label, TaggedExample

_LABEL: TypeAdapter[str] = TypeAdapter(Label)
# Of a model and of a dataclass.
_UNKNOWN_FIELD = ("extra_forbidden", "unexpected_keyword_argument")


def tagged(
    text: str, spans: Iterable[Mention], *, where: str, known_id: str | None = None
) -> TaggedExample:
    """Return an example whose entities stand in the order of the text; no id: content hash.

    Raises:
        InvalidInput: what is wrong, preceded by `where`.
    """
    try:
        # An id that is left out is filled in; an empty one that was given is refused.
        given = {} if known_id is None else {"id": known_id}
        example = TaggedExample(text=text, entities=tuple(sorted(spans)), **given)
    except ValidationError as error:
        raise InvalidInput(f"{where}: {fault(error)}") from None
    check_flat(example, where)
    return example


def fault(error: ValidationError) -> str:
    """Return a validation's first fault: the field, what was expected and what was given."""
    first = error.errors()[0]
    field = "/".join(map(str, first["loc"]))
    if first["type"] in _UNKNOWN_FIELD:
        return f"{field}: this field is not known; remove it or correct its name"
    message = first["msg"].removeprefix("Value error, ")
    return f"{field}: {message}, was: {shortened(first['input'])}" if field else message


def shortened(value: object) -> str:
    """Return a value as it may stand in a message."""
    plain = repr(value)
    return plain if len(plain) <= 80 else plain[:79] + "…"


def check_flat(example: TaggedExample, where: str) -> None:
    """Refuse spans that leave the text or overlap, labels of several lines, and broken text.

    Raises:
        InvalidInput: what is wrong, preceded by `where`.
    """
    text = example.text
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        raise InvalidInput(
            f"{where}: expected Unicode text, was: one with half a surrogate pair; remove it"
        )
    for m in example.entities:
        if not 0 <= m.start < m.end <= len(text):
            raise InvalidInput(
                f"{where}: expected 0 <= start < end <= {len(text)} (code points, end exclusive), "
                f"was: start {m.start}, end {m.end} ({m.label!r}); correct the entity"
            )
        try:
            _LABEL.validate_python(m.label)
        except ValidationError as error:
            raise InvalidInput(
                f"{where}: label {shortened(m.label)}: {error.errors()[0]['msg']}; rename it"
            ) from None
    for left, right in pairwise(sorted(example.entities)):
        if right.start < left.end:
            raise InvalidInput(
                f"{where}: expected entities that do not overlap, was: {_named(text, left)} and "
                f"{_named(text, right)}; keep one of them"
            )


def _named(text: str, m: Mention) -> str:
    return f"{m.start}..{m.end} {shortened(text[m.start : m.end])} ({m.label})"


def own_id(example: TaggedExample) -> str:
    """Return the id to write: empty where reading would fill in the same, the content hash."""
    content = TaggedExample(text=example.text, entities=tuple(sorted(example.entities)))
    return "" if content.id == example.id else example.id
