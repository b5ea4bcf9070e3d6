"""Pack calls: the verbs on stored packs, written once for domains and policy sets.

Knows no transport and no waiting.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel

from wraner.client.calls import Call, plain, quoted, reading
from wraner.client.problems import Stale
from wraner.client.replies import ExamplePage, PackList, PackSummary, Problem
from wraner.errors import InvalidInput
from wraner.packs import Domain, JudgedExample, PolicySet, TaggedExample

P = TypeVar("P", bound=BaseModel)
E = TypeVar("E", bound=BaseModel)

WHOLE_PAGE = 1000
_TAG = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_summary = reading(PackSummary)


@dataclass(frozen=True, slots=True)
class Expected:
    """What a write expects of the stored version; the default expects nothing.

    `if_match` is a version as replies have it, `*` for any, or an ETag in its quotes.
    """

    if_match: str | None = None
    if_none_match: bool = False

    def headers(self) -> dict[str, str]:
        """Return the headers that say so.

        Raises:
            InvalidInput: `if_match` could not stand in a header.
        """
        found = {"If-None-Match": "*"} if self.if_none_match else {}
        if self.if_match is not None:
            if not _TAG.fullmatch(self.if_match):
                raise InvalidInput(
                    f"expected if_match: a version such as 6f1e or *, was: {self.if_match[:80]!r}"
                )
            bare = self.if_match != "*" and '"' not in self.if_match
            found["If-Match"] = f'"{self.if_match}"' if bare else self.if_match
        return found


@dataclass(frozen=True, slots=True)
class PackCalls(Generic[P, E]):
    """The calls on packs of one kind, whose URLs begin with `root`."""

    root: str
    pack: type[P]
    example: type[E]
    page: Callable[[bytes], ExamplePage[E]]

    def list(self) -> Call[PackList]:
        """Return all packs, without examples."""
        return Call("GET", self.root, reading(PackList))

    def read(self, name: str) -> Call[PackSummary]:
        """Return the definitions under a name."""
        return Call("GET", self._path(name), _summary)

    def put(self, name: str, pack: P, expected: Expected) -> Call[PackSummary]:
        """Store a whole pack.

        Raises:
            InvalidInput: as `plain`.
        """
        headers = expected.headers()
        return Call(
            "PUT",
            self._path(name),
            _summary,
            plain(self.pack, pack),
            headers,
            # The same pack put twice is that pack. A condition, though, may hold for the first
            # and fail for the second, which would report a write that succeeded as stale.
            idempotent=not headers,
        )

    def delete(self, name: str, expected: Expected) -> Call[None]:
        """Remove a pack. The second of two finds nothing, so it is never sent twice unseen."""
        return Call(
            "DELETE",
            self._path(name),
            _nothing,
            headers=expected.headers(),
            idempotent=False,
            answered=(204,),
        )

    def examples(self, name: str, *, after: str, limit: int) -> Call[ExamplePage[E]]:
        """Return a page of examples."""
        query = urlencode({"limit": limit, "after": after})
        return Call("GET", f"{self._path(name)}/examples?{query}", self.page)

    def add(self, name: str, examples: Sequence[E], expected: Expected) -> Call[PackSummary]:
        """Add examples.

        Raises:
            InvalidInput: as `plain`.
        """
        return Call(
            "POST",
            f"{self._path(name)}/examples",
            _summary,
            {"examples": [plain(self.example, e) for e in examples]},
            expected.headers(),
            idempotent=False,
        )

    def remove(self, name: str, example_id: str, expected: Expected) -> Call[PackSummary]:
        """Remove an example."""
        return Call(
            "DELETE",
            f"{self._path(name)}/examples/{quoted(example_id)}",
            _summary,
            headers=expected.headers(),
            idempotent=False,
        )

    def _path(self, name: str) -> str:
        return f"{self.root}/{quoted(name)}"


DOMAINS: PackCalls[Domain, TaggedExample] = PackCalls(
    "/v1/domains", Domain, TaggedExample, reading(ExamplePage[TaggedExample])
)
POLICY_SETS: PackCalls[PolicySet, JudgedExample] = PackCalls(
    "/v1/policy-sets", PolicySet, JudgedExample, reading(ExamplePage[JudgedExample])
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where reading all examples of a pack has come to; `after` None: at the end."""

    after: str | None = ""
    version: str = ""

    def past(self, page: ExamplePage[E]) -> "Place":
        """Return the place behind the next page.

        Raises:
            Stale: the pack was changed since the page before.
        """
        if self.version and page.version != self.version:
            raise Stale(_changed(self.version, page.version))
        return Place(page.next, page.version)


def _changed(before: str, now: str) -> Problem:
    return Problem(
        type="urn:wraner:problem:stale",
        title="The pack has changed meanwhile",
        status=412,
        detail=f"expected all pages of version {before}, the next is of {now}; read them anew",
        pointer="",
        request_id="",
    )


def _nothing(raw: bytes) -> None:
    if raw:
        raise ValueError("expected no body")
