"""Faults: what pydantic finds wrong with a body, as one error with a JSON pointer.

Knows pydantic's errors and the plain JSON that they are about, no contract.
"""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from services.bodies import pointer_step
from wraner.errors import InvalidInput

_MAX_QUOTED = 80
_UNKNOWN = "this field is not known; remove it or correct its name"
_MESSAGES = {
    "extra_forbidden": _UNKNOWN,
    "unexpected_keyword_argument": _UNKNOWN,  # the same of a dataclass
    "missing": "this field is missing; add it",
    "string_type": "expected a string",
    "int_type": "expected an integer",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "tuple_type": "expected an array",
    "model_type": "expected an object",
    "dataclass_type": "expected an object",
}
_KINDS = {dict: "an object", list: "an array", bool: "a boolean", type(None): "null"}


def first_fault(error: ValidationError, content: Any) -> InvalidInput:
    """Return the first field's fault.

    Where a field may be one of several types, the one that fits best gets furthest, so the deepest
    fault is told; of those equally deep the ones about the value, not about its type.
    """
    faults = [
        (_pointer(f["loc"], content, missing=f["type"] == "missing"), f)
        for f in error.errors(include_url=False)
    ]
    field = faults[0][0]
    below = [(p, f) for p, f in faults if (p + "/").startswith(field + "/")]
    pointer = max((p for p, _ in below), key=lambda p: p.count("/"))
    rivals = [f for p, f in below if p == pointer]
    of_value = [f for f in rivals if not f["type"].endswith("_type")]
    messages = dict.fromkeys(_message(f) for f in of_value or rivals)
    return InvalidInput(" or ".join(messages) + _was(rivals[0]), pointer=pointer)


def _message(fault: Any) -> str:
    if fault["type"] in ("too_short", "too_long"):
        limit = fault["ctx"].get("min_length", fault["ctx"].get("max_length"))
        few = "at least" if fault["type"] == "too_short" else "at most"
        return f"expected {few} {limit} items"
    message = str(fault["msg"]).removeprefix("Value error, ")
    return _MESSAGES.get(fault["type"], message.replace("Input should be", "expected"))


def _was(fault: Any) -> str:
    given = fault["input"]
    if _MESSAGES.get(fault["type"]) == _UNKNOWN or fault["type"] == "missing":
        return ""
    if type(given) in _KINDS:
        return f", was: {_KINDS[type(given)]}"
    shown = json.dumps(given, ensure_ascii=False, default=str)
    return f", was: {shown[:_MAX_QUOTED]}{'…' if len(shown) > _MAX_QUOTED else ''}"


def _pointer(location: Sequence[str | int], content: Any, *, missing: bool) -> str:
    """Return a location as a pointer into the body, without pydantic's names of union members."""
    pointer, node = "", content
    for number, step in enumerate(location):
        if _has(node, step):
            node = node[step]
        elif not (missing and number == len(location) - 1):
            continue
        pointer += pointer_step(str(step))
    return pointer


def _has(node: Any, step: str | int) -> bool:
    if isinstance(node, dict):
        return step in node
    return isinstance(node, list) and isinstance(step, int) and step < len(node)
