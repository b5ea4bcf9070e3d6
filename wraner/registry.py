"""The pack store: named packs in immutable versions, each name pointing at its current one.

    <root>/<kind>/<name>/CURRENT              the current version; flipped whole, under LOCK
    <root>/<kind>/<name>/DELETED              in its place: the name was deleted on purpose
    <root>/<kind>/<name>/versions/<version>/  pack.yaml, examples.jsonl; never changed once there

A reader resolves a name to a version once and reads that version, whatever is written meanwhile.
A damaged pack spoils only itself. Knows no index and no HTTP.
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import islice
from mmap import ACCESS_READ, mmap
from pathlib import Path

from wraner import versions
from wraner.errors import InvalidInput, NotFound, Stale, Unavailable
from wraner.pack_folders import (
    EXAMPLES_FILE,
    iterate_examples,
    read_definitions,
    read_pack_folder,
)
from wraner.packs import Domain, Example, Pack, version
from wraner.pointer import Pointer

_NAME = re.compile(r"[a-z0-9-]{1,63}")
_CACHED_DEFINITIONS = 256


class Kind(StrEnum):
    """What a pack is; the value names its folder and its URL."""

    DOMAIN = "domains"
    POLICY_SET = "policy-sets"


@dataclass(frozen=True, slots=True)
class Stored:
    """The definitions of one stored version, without its examples, which are counted."""

    name: str
    version: str
    definitions: Pack
    examples: int


def kind_of(pack: Pack) -> Kind:
    """Return which kind a pack is."""
    return Kind.DOMAIN if isinstance(pack, Domain) else Kind.POLICY_SET


def check_name(name: str) -> None:
    """Refuse a name that could not stand in a URL.

    Raises:
        InvalidInput: it is not 1 to 63 of a-z, 0-9 and hyphen.
    """
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"expected a name of 1 to 63 lower-case letters, digits and hyphens, was: {name[:80]!r}"
        )


class PackStore:
    """Packs on disk. Safe for many threads and processes at once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._summary = lru_cache(maxsize=_CACHED_DEFINITIONS)(self._read_summary)

    def names(self, kind: Kind) -> list[str]:
        """Return the names that have a current version, sorted; a stray folder has none."""
        found = (p.parent.name for p in (self._root / kind).glob("*/CURRENT"))
        return sorted(name for name in found if _NAME.fullmatch(name))

    def homes(self) -> list[tuple[Kind, str]]:
        """Return every name that something was ever stored under, deleted ones too."""
        found = [(kind, p.parent.name) for kind in Kind for p in (self._root / kind).glob("*/LOCK")]
        return sorted(one for one in found if _NAME.fullmatch(one[1]))

    def current(self, kind: Kind, name: str) -> str:
        """Return the version that a name points at.

        Raises:
            NotFound: nothing has this name.
            Unavailable: the pointer is damaged.
        """
        check_name(name)
        pointer = _pointer(self._home(kind, name))
        content = _pointed_at(pointer)
        if content is None:
            raise NotFound(
                f"there is no {name!r} among the {kind}; PUT /v1/{kind}/{name} makes one"
            )
        if not versions.is_version(content):
            raise Unavailable(
                f"{self._place(pointer.file)} is damaged: expected 64 hexadecimal digits; "
                f"PUT the pack again or DELETE it"
            )
        return content

    def stored(self, kind: Kind, name: str, version: str) -> Stored:
        """Return the definitions of one version; cheap, for the last few hundred are cached.

        Raises:
            Unavailable: the version is missing or damaged.
        """
        return self._summary(kind, name, version)

    def pack(self, kind: Kind, name: str, wanted: str) -> Pack:
        """Read one version whole, and check it against its hash.

        Raises:
            Unavailable: the version is missing or damaged.
        """
        folder = self._folder(kind, name, wanted)
        try:
            pack = read_pack_folder(folder)
        except InvalidInput as error:
            raise self._damaged(kind, name, error.message) from None
        if version(pack) != wanted:
            raise self._damaged(kind, name, f"{folder}: its content does not match its version")
        return pack

    def examples(
        self, kind: Kind, name: str, version: str, *, after: str, limit: int
    ) -> list[Example]:
        """Return up to `limit` examples in stored order, after the one named `after` ("": first).

        Raises:
            NotFound: no example has the id `after`.
            Unavailable: the version is missing or damaged.
        """
        definitions = self.stored(kind, name, version).definitions
        file = self._folder(kind, name, version) / EXAMPLES_FILE
        try:
            start = _behind(file, after) if after else 0
            if start:
                with suppress(InvalidInput):  # else read whole, which says in which line
                    page = iterate_examples(file, definitions, start=start)
                    return [example for _, example in islice(page, limit)]
            examples = (example for _, example in iterate_examples(file, definitions))
            if after and not any(example.id == after for example in examples):
                raise NotFound(f"there is no example {after!r} to read after")
            return list(islice(examples, limit))
        except InvalidInput as error:
            raise self._damaged(kind, name, error.message) from None

    def publish(self, name: str, pack: Pack, *, expected: str | None) -> str:
        """Store a pack and point its name at it, if the name still points at `expected`.

        `expected` None: the name must not exist yet. Returns the new version.

        Raises:
            Stale: the name points elsewhere by now; nothing has changed.
        """
        check_name(name)
        kind = kind_of(pack)
        home = self._home(kind, name)
        made = versions.keep(home / "versions", pack)
        pointer = _pointer(home)
        with pointer.locked():
            self._compare(kind, name, expected)
            if not (home / "versions" / made).is_dir():  # pruned since it was written
                versions.keep(home / "versions", pack)
            pointer.flip(made)
            (home / "DELETED").unlink(missing_ok=True)
            if expected and expected != made:
                versions.touch(home / "versions" / expected)
        return made

    def delete(self, kind: Kind, name: str, *, expected: str) -> None:
        """Remove a name, if it still points at `expected`.

        Raises:
            NotFound: nothing has this name.
            Stale: the name points elsewhere by now; nothing has changed.
        """
        home = self._home(kind, name)
        pointer = _pointer(home)
        with pointer.locked():
            self._compare(kind, name, expected)
            pointer.retire(home / "DELETED")
            versions.touch(home / "versions" / expected)

    def discard_damaged(self, kind: Kind, name: str) -> None:
        """Put a damaged pointer aside, so that the name can be written anew."""
        home = self._home(kind, name)
        pointer = _pointer(home)
        with pointer.locked():
            try:
                self.current(kind, name)
            except Unavailable:
                pointer.retire(home / "DELETED")
            except NotFound:
                pass

    def was_deleted(self, kind: Kind, name: str) -> bool:
        """Return whether the name was once stored and then deleted on purpose."""
        return (self._home(kind, name) / "DELETED").exists()

    def prune(self, kind: Kind, name: str, *, superseded_for_s: float) -> list[str]:
        """Remove versions superseded for so long that no request can still read them.

        Where the pointer is damaged nobody knows which is current, and all stay.
        """
        home = self._home(kind, name)
        pointer = _pointer(home)
        with pointer.locked():
            current = _pointed_at(pointer)
            if current is not None and not versions.is_version(current):
                return []
            return versions.prune(home / "versions", current=current, older_than_s=superseded_for_s)

    def versions(self) -> set[str]:
        """Return every version that is still stored, under whatever name."""
        return {p.name for p in self._root.glob("*/*/versions/*") if versions.is_version(p.name)}

    def _home(self, kind: Kind, name: str) -> Path:
        return self._root / kind / name

    def _folder(self, kind: Kind, name: str, version: str) -> Path:
        return self._home(kind, name) / "versions" / version

    def _place(self, path: Path) -> str:
        return str(path.relative_to(self._root))

    def _compare(self, kind: Kind, name: str, expected: str | None) -> None:
        try:
            found: str | None = self.current(kind, name)
        except NotFound:
            if expected is not None:
                raise
            found = None
        if found != expected:
            raise Stale(
                f"{name!r} has changed: expected version {expected or 'none'}, "
                f"was: {found or 'none'}; read it again and repeat the change"
            )

    def _read_summary(self, kind: Kind, name: str, version: str) -> Stored:
        folder = self._folder(kind, name, version)
        try:
            definitions = read_definitions(folder)
            count = _count_lines(folder / EXAMPLES_FILE)
        except (InvalidInput, OSError) as error:
            raise self._damaged(kind, name, str(error)) from None
        return Stored(name, version, definitions, count)

    def _damaged(self, kind: Kind, name: str, message: str) -> Unavailable:
        where = message.replace(f"{self._root}/", "")
        return Unavailable(
            f"the stored pack {name!r} is damaged: {where}; PUT /v1/{kind}/{name} stores it anew"
        )


def _pointer(home: Path) -> Pointer:
    return Pointer(home / "CURRENT", lock=home / "LOCK")


def _pointed_at(pointer: Pointer) -> str | None:
    try:
        return pointer.read().decode("ascii", errors="replace").strip()
    except FileNotFoundError:
        return None


def _count_lines(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for line in lines if line.strip())


def _behind(file: Path, after: str) -> int:
    """Return where the line behind that of an example begins, 0 where no line begins with its id.

    The store wrote the lines, ids first, so that those before need not be parsed for every page.
    """
    start = f'{{"id":{json.dumps(after, ensure_ascii=False)},'.encode(errors="surrogatepass")
    try:
        with file.open("rb") as lines, mmap(lines.fileno(), 0, access=ACCESS_READ) as whole:
            line = whole.find(b"\n" + start) + 1  # 0 if it is the first, or none
            return whole.find(b"\n", line) + 1 if whole[line : line + len(start)] == start else 0
    except (OSError, ValueError):  # there is none, or it is empty
        return 0


def missing_shipped(store: PackStore, shipped: Path) -> list[Path]:
    """Return the folders below `shipped` whose names the store has never had.

    A pack that was deleted on purpose is not missing.
    """
    stored = {name for kind in Kind for name in store.names(kind)}
    return [
        folder
        for folder in sorted(p.parent for p in shipped.glob("*/pack.yaml"))
        if folder.name not in stored
        and not any(store.was_deleted(kind, folder.name) for kind in Kind)
    ]
