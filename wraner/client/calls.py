"""Calls: the verbs of the contract as data, for whichever client sends them.

A call knows its method, path, body and how its answer is read. What may be asked is the server's
to check, so that there is one place for it. Knows no transport and no waiting.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

from pydantic import BaseModel

from wraner.client.replies import Extractions, Health, Verdicts
from wraner.errors import InvalidInput
from wraner.packs import Domain, PolicySet

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)
OffsetUnit = Literal["codepoint", "utf16"]


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One request and how to read its answer; `path` is quoted, with its query.

    `idempotent`: sent twice, it has the effect and the answer of once. `answered`: the statuses
    whose body `parse` reads; it raises ValueError for a body that is no such answer.
    """

    method: str
    path: str
    parse: Callable[[bytes], T]
    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    idempotent: bool = True
    answered: tuple[int, ...] = (200, 201)

    def encoded(self) -> bytes | None:
        """Return the body as it is sent, None where there is none."""
        if self.body is None:
            return None
        # Half a surrogate pair has no UTF-8; this leaves its JSON escape, for the server to refuse.
        return json.dumps(self.body, ensure_ascii=False).encode("utf-8", "backslashreplace")


def quoted(name: str) -> str:
    """Return a name as one step of a path."""
    step = quote(name, safe="")
    # These two alone would walk up or stay in the path.
    return step.replace(".", "%2E") if step in (".", "..") else step


def reading(model: type[Model]) -> Callable[[bytes], Model]:
    """Return the parser of a reply, which may have grown at any depth."""
    return lambda raw: model.model_validate_json(raw, extra="ignore")


def plain(model: type[BaseModel], value: object) -> dict[str, Any]:
    """Return a `model` as it is sent.

    Raises:
        InvalidInput: `value` is none, a dict say; of what it holds nothing is told.
    """
    if not isinstance(value, model):
        name = model.__name__
        raise InvalidInput(
            f"expected a {name} of wraner.packs, was: a {type(value).__name__}; "
            f"{name}.model_validate(...) makes one of a dict"
        )
    return value.model_dump(mode="json")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtractQuestion:
    """What to extract; the fields are the request's, None leaves one to the server."""

    texts: str | Sequence[str]
    domain: str | None
    inline: Domain | None
    entity_types: Sequence[str] | None
    k: int | None
    min_score: float
    offset_unit: OffsetUnit

    def call(self) -> Call[Extractions]:
        """Return the call that asks it.

        Raises:
            InvalidInput: as `plain`.
        """
        body = {
            "domain": self.domain,
            "inline": None if self.inline is None else plain(Domain, self.inline),
            "text": _listed(self.texts),
            "entity_types": _listed(self.entity_types),
            "k": self.k,
            "min_score": self.min_score,
            "offset_unit": self.offset_unit,
        }
        return Call("POST", "/v1/extract", reading(Extractions), _given(body))


@dataclass(frozen=True, slots=True, kw_only=True)
class ModerateQuestion:
    """What to judge; the fields are the request's, None leaves one to the server."""

    texts: str | Sequence[str]
    policy_set: str | None
    inline: PolicySet | None
    policies: Sequence[str] | None
    exhaustive: bool
    threshold: float | None

    def call(self) -> Call[Verdicts]:
        """Return the call that asks it.

        Raises:
            InvalidInput: as `plain`.
        """
        body = {
            "policy_set": self.policy_set,
            "inline": None if self.inline is None else plain(PolicySet, self.inline),
            "text": _listed(self.texts),
            "policies": _listed(self.policies),
            "exhaustive": self.exhaustive,
            "threshold": self.threshold,
        }
        return Call("POST", "/v1/moderate", reading(Verdicts), _given(body))


def health() -> Call[Health]:
    """Ask whether the process lives."""
    return Call("GET", "/healthz", reading(Health))


def ready() -> Call[Health]:
    """Ask whether requests can be answered; "not yet" is an answer, not a reason to ask again."""
    return Call("GET", "/readyz", reading(Health), answered=(200, 503))


def _given(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _listed(texts: str | Sequence[str] | None) -> str | list[str] | None:
    return texts if texts is None or isinstance(texts, str) else list(texts)
