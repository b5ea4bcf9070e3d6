"""What the gateway needs of the stores: reading packs, writing packs.

`wraner.registry.PackStore` reads; `writer.Writer` writes, in this process or behind a handle.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.conditions import Condition
from wraner.packs import Example, Pack
from wraner.registry import Kind, Stored


@dataclass(frozen=True, slots=True)
class Written:
    """A pack after a write; `created`: something is there that was not there before."""

    name: str
    version: str
    examples: int
    created: bool


class PackReader(Protocol):
    """Reads packs; see `wraner.registry.PackStore`."""

    def names(self, kind: Kind) -> list[str]:
        """Return the names that have a current version."""
        ...

    def was_deleted(self, kind: Kind, name: str) -> bool:
        """Return whether a name was once stored and then deleted on purpose."""
        ...

    def current(self, kind: Kind, name: str) -> str:
        """Return the version that a name points at."""
        ...

    def stored(self, kind: Kind, name: str, version: str) -> Stored:
        """Return the definitions of one version."""
        ...

    def examples(
        self, kind: Kind, name: str, version: str, *, after: str, limit: int
    ) -> list[Example]:
        """Return a page of examples."""
        ...


class PackWriter(Protocol):
    """Changes packs, each change whole or not at all, live for the next request.

    Every verb raises Stale where the condition fails and NotFound where there is nothing to change.
    """

    async def put(self, name: str, pack: Pack, condition: Condition) -> Written:
        """Store a whole pack under a name. Raises InvalidInput for too many changed examples."""
        ...

    async def add(
        self, kind: Kind, name: str, examples: Sequence[Example], condition: Condition
    ) -> Written:
        """Add examples. Raises Conflict where an id is taken, InvalidInput where one misfits."""
        ...

    async def remove(self, kind: Kind, name: str, example_id: str, condition: Condition) -> Written:
        """Remove one example."""
        ...

    async def delete(self, kind: Kind, name: str, condition: Condition) -> None:
        """Remove a pack."""
        ...
