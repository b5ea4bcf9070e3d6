"""Intake: what a request may ask for, beyond what its types say.

Limits are named in the error that they cause; every error has a pointer to the part at fault.
Knows no stored pack and no HTTP.
"""

import asyncio
from collections.abc import Iterable, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from services.bodies import decode
from services.faults import first_fault
from services.settings import Limits
from wraner.errors import InvalidInput
from wraner.packs import Domain, Example, PolicySet
from wraner.prompts import policy_words

Model = TypeVar("Model", bound=BaseModel)

_LARGE_BODY_BYTES = 50_000


def parse(body: bytes, model: type[Model]) -> Model:
    """Return the body as a request.

    Raises:
        InvalidInput: with a pointer to the part at fault.
    """
    content = decode(body)
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise first_fault(error, content) from None
    except RecursionError:
        raise InvalidInput("the body is nested too deeply; flatten it") from None


async def parse_in_thread(body: bytes, model: type[Model]) -> Model:
    """Parse a body; a large one aside, so that others' requests go on meanwhile."""
    if len(body) < _LARGE_BODY_BYTES:
        return parse(body, model)
    return await asyncio.to_thread(parse, body, model)


def check_texts(texts: Sequence[str], limits: Limits, *, several: bool) -> None:
    """Refuse too many, empty or over-long texts."""
    if len(texts) > limits.max_texts:
        raise InvalidInput(
            f"expected up to {limits.max_texts} texts a call (WRANER_MAX_TEXTS), "
            f"was: {len(texts)}; split them over several calls",
            pointer="/text",
        )
    for number, text in enumerate(texts):
        pointer = f"/text/{number}" if several else "/text"
        if not text.strip():
            raise InvalidInput(
                "expected a text with at least one visible character", pointer=pointer
            )
        _check_length(text, limits, pointer)


def check_examples_fit(examples: Sequence[Example], limits: Limits, *, pointer: str) -> None:
    """Refuse more examples than one call may carry, and over-long ones."""
    if len(examples) > limits.max_changed_examples:
        raise too_many_examples(len(examples), limits, pointer=pointer)
    check_lengths(examples, limits, pointer=pointer)


def check_lengths(examples: Sequence[Example], limits: Limits, *, pointer: str) -> None:
    """Refuse examples with over-long texts."""
    for number, example in enumerate(examples):
        _check_length(example.text, limits, f"{pointer}/{number}/text")


def too_many_examples(count: int, limits: Limits, *, pointer: str) -> InvalidInput:
    """Make the error that names the limit."""
    return InvalidInput(
        f"expected up to {limits.max_changed_examples} new or changed examples a call "
        f"(WRANER_MAX_CHANGED_EXAMPLES), was: {count}; add them in several calls",
        pointer=pointer,
    )


def check_choice(
    name: str | None, inline: Domain | PolicySet | None, *, field: str, limits: Limits
) -> None:
    """Refuse neither or both of a stored pack's name and an inline pack."""
    if (name is None) == (inline is None):
        given = "neither" if name is None else "both"
        raise InvalidInput(
            f"expected exactly one of {field!r} (a stored name) and 'inline' (definitions sent "
            f"along), was: {given}",
            pointer=f"/{field}",
        )
    if inline is not None:
        check_definitions(inline, limits, pointer="/inline")
        check_examples_fit(inline.examples, limits, pointer="/inline/examples")


def check_definitions(pack: Domain | PolicySet, limits: Limits, *, pointer: str) -> None:
    """Refuse an over-long type or policy, which no question could hold."""
    if isinstance(pack, Domain):
        field = "entity_types"
        lengths = [len(t.name) + len(t.definition) for t in pack.entity_types]
    else:
        field = "policies"
        lengths = [len(policy_words(p)) for p in pack.policies]
    for number, length in enumerate(lengths):
        if length > limits.max_characters:
            raise InvalidInput(
                f"expected up to {limits.max_characters} characters in a type or policy "
                f"(WRANER_MAX_CHARACTERS), was: {length}; shorten it, or say it as several",
                pointer=f"{pointer}/{field}/{number}",
            )


def check_known(asked: Iterable[str], declared: Sequence[str], *, field: str) -> None:
    """Refuse labels or policy ids that the pack does not declare, or that come twice."""
    seen: set[str] = set()
    known = set(declared)
    for number, name in enumerate(asked):
        if name not in known:
            raise InvalidInput(
                f"{name!r} is not declared; declared are: {_listed(declared)}",
                pointer=f"/{field}/{number}",
            )
        if name in seen:
            raise InvalidInput(
                f"{name!r} is named twice; once is enough", pointer=f"/{field}/{number}"
            )
        seen.add(name)


def _check_length(text: str, limits: Limits, pointer: str) -> None:
    if len(text) > limits.max_characters:
        raise InvalidInput(
            f"expected up to {limits.max_characters} characters a text (WRANER_MAX_CHARACTERS), "
            f"was: {len(text)}; split it",
            pointer=pointer,
        )


def _listed(names: Sequence[str], most: int = 20) -> str:
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
