"""Stock: at start, brings the store up to date: what ships is stored, every pack indexed.

A shipped pack is imported when the store has never had its name; one that a user changed or
deleted stays so. The newest shipped adapter of a task becomes its current one, unless a user chose
one. What is damaged or cannot be written is complained about and passed over. Knows no Ray.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

import structlog

from services.logs import where
from services.state_folder import RETRY_AFTER_S, unwritable, writing_to
from wraner import promotions
from wraner.adapters import (
    MANIFEST,
    MODEL_TASKS,
    Task,
    identities,
    newest,
    read_adapter,
    stored,
    write_adapter,
)
from wraner.errors import NotFound, Stale, Unavailable, WranerError
from wraner.pack_folders import read_pack_folder
from wraner.packs import Pack
from wraner.promotions import Source
from wraner.registry import Kind, PackStore, missing_shipped

_SHIPPED_AS = "shipped.sha256"  # beside a stored manifest: the hash of what shipped


class Indexes(Protocol):
    """What is needed of `index.store.GenerationStore`."""

    def open(self, pack_version: str) -> Any:
        """Check a version's index; NotFound or Unavailable where there is none that is whole."""
        ...

    def build(self, pack: Pack, previous_version: str | None = None) -> Any:
        """Index a pack."""
        ...

    def drop(self, pack_version: str) -> None:
        """Forget a version's index."""
        ...

    def versions(self, *, older_than_s: float) -> set[str]:
        """Return the versions that were indexed so long ago."""
        ...


def stock(
    packs: PackStore,
    indexes: Indexes,
    shipped: Path,
    *,
    say: Callable[[str], None],
    superseded_for_s: float,
) -> list[str]:
    """Import and index what is missing; return complaints, one a pack that cannot be.

    What was deleted or superseded so long ago is removed: whoever did it may have stopped before.
    """
    complaints = _tidy(packs, indexes, superseded_for_s)
    for folder in missing_shipped(packs, shipped):
        try:
            say(f"importing the pack {folder.name}")
            pack = read_pack_folder(folder)
            indexes.build(pack)
            packs.publish(folder.name, pack, expected=None)
        except Stale:
            pass  # another replica was first
        except WranerError as error:
            complaints.append(str(error))
        except OSError as error:
            complaints.append(f"{folder.name} is not imported: {unwritable(error) or error}")
    for kind in Kind:
        for name in packs.names(kind):
            try:
                _index(packs, indexes, kind, name, say)
            except WranerError as error:
                complaints.append(str(error))
            except OSError as error:
                complaints.append(f"{name} is not indexed: {unwritable(error) or error}")
    return complaints


def _tidy(packs: PackStore, indexes: Indexes, superseded_for_s: float) -> list[str]:
    complaints = []
    for kind, name in packs.homes():
        try:
            packs.prune(kind, name, superseded_for_s=superseded_for_s)
        except OSError as error:
            complaints.append(f"what {name} was before is still on disk: {error}")
    try:
        for gone in indexes.versions(older_than_s=superseded_for_s) - packs.versions():
            if gone not in packs.versions():  # it may be a current one's by now
                indexes.drop(gone)
    except OSError as error:
        complaints.append(f"indexes of what was deleted are still on disk: {error}")
    return complaints


def index_domains(packs: PackStore, indexes: Indexes, *, say: Callable[[str], None]) -> None:
    """Index every stored domain that is not; the first that cannot be ends it.

    Raises:
        Unavailable: a domain is damaged or cannot be indexed; says how to do without it.
    """
    for name in packs.names(Kind.DOMAIN):
        try:
            _index(packs, indexes, Kind.DOMAIN, name, say)
        except NotFound:
            pass  # deleted meanwhile
        except WranerError as error:
            raise Unavailable(
                f"expected each stored domain to be indexed, was: {name}, where {error}; repair "
                f"it, or remove it: wraner domains remove {name}"
            ) from error


class Indexing(Protocol):
    """What can index a pack."""

    def build(self, pack: Pack) -> Any:
        """Index it."""
        ...


def index_version(
    packs: PackStore, indexes: Indexing, pack_version: str, *, state_dir: Path
) -> None:
    """Index the stored pack whose current version this is; nothing where none has it any more.

    What goes wrong is logged: a request finds it, whose answer may tell too little.

    Raises:
        Unavailable: the pack is damaged or cannot be indexed, also for want of space.
    """
    for kind in Kind:
        for name in packs.names(kind):
            current = ""
            with suppress(NotFound, Unavailable):  # another pack's pointer may be damaged
                current = packs.current(kind, name)
            if current == pack_version:
                with writing_to(state_dir), _logged(name):
                    indexes.build(packs.pack(kind, name, pack_version))
                return


@contextmanager
def _logged(name: str) -> Iterator[None]:
    """Log why a pack is not indexed, and have clients wait before that is tried again."""
    try:
        yield
    except Exception as error:
        structlog.get_logger("wraner.stock").error("not indexed", pack=name, **where(error))
        if isinstance(error, Unavailable):
            raise Unavailable(str(error), retry_after_s=RETRY_AFTER_S) from error
        raise


def stock_adapters(adapters: Path, shipped: Path) -> list[str]:
    """Store the adapters in `shipped/<task>/<hash>`, make the newest current; return complaints.

    One that is stored already gets the manifest that ships, for its weights may be calibrated anew;
    not where somebody has changed the stored manifest since, by a calibration of their own.
    """
    complaints = []
    for task in MODEL_TASKS:
        folders = shipped / task
        for identity in identities(folders):
            try:
                _stock_adapter(adapters, folders, identity)
            except (WranerError, OSError) as error:
                complaints.append(f"{folders / identity}: {error}")
        try:
            _offer(adapters, task, folders)
        except Stale:
            pass  # a user or another replica was first
        except (WranerError, OSError) as error:
            complaints.append(str(error))
    return complaints


def _stock_adapter(adapters: Path, folders: Path, identity: str) -> None:
    manifest = read_adapter(folders, identity)
    before = stored(adapters, identity)
    folder = adapters / identity
    if before and before != manifest and _mark(folder) not in ("", _written(folder)):
        return
    if before != manifest:
        write_adapter(adapters, folders / identity, manifest)
    if _mark(folder) != _written(folder):
        fresh = folder / f".{_SHIPPED_AS}-{uuid4().hex}"  # of its own, for several may start
        fresh.write_text(_written(folder))
        os.replace(fresh, folder / _SHIPPED_AS)


def _mark(folder: Path) -> str:
    """Return the hash of the manifest that shipped, "" where nobody wrote it down."""
    try:
        return (folder / _SHIPPED_AS).read_text()
    except FileNotFoundError:
        return ""


def _written(folder: Path) -> str:
    return hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()


def _offer(adapters: Path, task: Task, folders: Path) -> None:
    """Make the newest adapter in `folders` current, unless a user's choice is.

    An older release makes its own current again: what ships with it belongs to its code.
    """
    ships = newest(folders)
    history = promotions.history(adapters, task)
    found = history[-1] if history else None
    if not ships or (found and (found.source is Source.USER or found.adapter == ships)):
        return
    expected = found.adapter if found else ""
    promotions.promote(adapters, task, ships, expected=expected, source=Source.SHIPPED)


def _index(
    packs: PackStore, indexes: Indexes, kind: Kind, name: str, say: Callable[[str], None]
) -> None:
    current = packs.current(kind, name)
    try:
        indexes.open(current)
    except (NotFound, Unavailable):  # never indexed with this encoder, or damaged
        say(f"indexing {name}")
        indexes.build(packs.pack(kind, name, current))
