"""Signatures: option groups, as frozen dataclasses, on a flat command line.

Typer takes one parameter an option. A command here takes few parameters, some of them groups; what
typer sees is each group's fields in the group's place. Knows no option.
"""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints


def flat(command: Callable[..., int]) -> Callable[..., int]:
    """Return the command with every option group among its parameters spread out."""
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, Any] = {
        n: p.annotation for n, p in signature.parameters.items() if is_dataclass(p.annotation)
    }

    @wraps(command)
    def spread(**given: Any) -> int:
        for name, group in groups.items():
            own = {f.name: given.pop(f.name) for f in fields(group)}
            given[name] = group(**own)
        return command(**given)

    shown = [q for p in signature.parameters.values() for q in _parameters(p, groups)]
    spread.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    spread.__annotations__ = {p.name: p.annotation for p in shown}
    return spread


def _parameters(parameter: inspect.Parameter, groups: dict[str, Any]) -> list[inspect.Parameter]:
    if parameter.name not in groups:
        return [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)]
    group = groups[parameter.name]
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_default(field),
            annotation=hints[field.name],
        )
        for field in fields(group)
    ]


def _default(field: "Field[Any]") -> Any:
    if field.default_factory is not MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is MISSING else field.default
