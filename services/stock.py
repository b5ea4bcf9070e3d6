"""Stock: at start, brings the store up to date: shipped packs stored, every pack indexed.

A shipped pack is imported when the store has never had its name; one that a user changed or
deleted stays so. A damaged pack is complained about and passed over. Knows no Ray.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from wraner.errors import InvalidInput, NotFound, Stale, Unavailable, WranerError
from wraner.pack_folders import read_pack_folder
from wraner.packs import Pack
from wraner.registry import Kind, PackStore, missing_shipped


class Indexes(Protocol):
    """What is needed of `index.store.GenerationStore`."""

    def open(self, pack_version: str) -> Any:
        """Check a version's index; NotFound or Unavailable where there is none that is whole."""
        ...

    def build(self, pack: Pack, previous_version: str | None = None) -> Any:
        """Index a pack."""
        ...


def stock(
    packs: PackStore, indexes: Indexes, shipped: Path, *, say: Callable[[str], None]
) -> list[str]:
    """Import and index what is missing; return complaints, one a damaged pack."""
    complaints = []
    for folder in missing_shipped(packs, shipped):
        try:
            say(f"importing the pack {folder.name}")
            pack = read_pack_folder(folder)
            indexes.build(pack)
            packs.publish(folder.name, pack, expected=None)
        except Stale:
            pass  # another replica was first
        except InvalidInput as error:
            complaints.append(error.message)
    for kind in Kind:
        for name in packs.names(kind):
            try:
                _index(packs, indexes, kind, name, say)
            except WranerError as error:
                complaints.append(str(error))
    return complaints


def _index(
    packs: PackStore, indexes: Indexes, kind: Kind, name: str, say: Callable[[str], None]
) -> None:
    current = packs.current(kind, name)
    try:
        indexes.open(current)
    except (NotFound, Unavailable):  # never indexed with this encoder, or damaged
        say(f"indexing {name}")
        indexes.build(packs.pack(kind, name, current))
