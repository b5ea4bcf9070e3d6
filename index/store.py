"""Where generations lie on disk: built, opened and dropped by the version of their pack.

    root/segments/<name>/           immutable segments, shared by generations
    root/generations/<identity>.json   which segments, less which entries; replaced by rename
    root/lock                       held while something is published or dropped

Any number of processes may build, open and drop at once. Knows no names of packs: which version is
current is its caller's business.
"""

import fcntl
import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, get_args

import numpy as np

from index import segments
from index.encoders import Encoders, PackKind
from index.generations import Generation, Part, build, identity_of
from index.segments import Segment
from index.settings import IndexSettings
from wraner.errors import NotFound, Unavailable, WranerError
from wraner.packs import Pack, version
from wraner.whole_folders import to_disk

_FORMAT = "generation-1"
_WRITING_S = 86_400


class GenerationStore:
    """The generations under `root` that belong to these encoders and one set of settings."""

    def __init__(self, root: Path, encoders: Encoders, settings: IndexSettings) -> None:
        self._segments = root / "segments"
        self._generations = root / "generations"
        self._lock = root / "lock"
        self._encoders = encoders
        self._settings = settings
        self._segments.mkdir(parents=True, exist_ok=True)
        self._generations.mkdir(parents=True, exist_ok=True)

    def has(self, pack_version: str) -> bool:
        """Return whether a generation of this version is there (it may turn out damaged)."""
        return self._path(pack_version).is_file()

    def build(self, pack: Pack, previous_version: str | None = None) -> Generation:
        """Index a pack and return its generation, opened from disk.

        Examples that the previous version's generation holds unchanged are not encoded again.
        A missing or damaged previous generation costs time only, and a damaged one of the same
        version is replaced. Who builds what is already there opens it.
        """
        pack_version = version(pack)
        with suppress(NotFound, Unavailable):
            return self.open(pack_version)
        previous = None
        if previous_version is not None:
            with suppress(NotFound, Unavailable):
                previous = self.open(previous_version)
        generation = build(pack, self._encoders, self._settings, previous)
        if not self._publish(generation):
            self._publish(build(pack, self._encoders, self._settings))
        del generation  # in memory; the one on disk is memory-mapped
        return self.open(pack_version)

    def open(self, pack_version: str) -> Generation:
        """Return the generation of a pack's version, its vectors memory-mapped.

        Raises:
            NotFound: it was never built, or dropped.
            Unavailable: it is damaged.
        """
        path = self._path(pack_version)
        manifest = _read_manifest(path)
        opened: dict[str, Segment] = {}
        for name in _names(manifest):
            opened[name] = segments.read(self._segments / name)
        return Generation(
            identity=manifest["identity"],
            version=manifest["version"],
            kind=manifest["kind"],
            parts=tuple(Part(opened[n], tuple(gone)) for n, gone in manifest["parts"]),
            definitions=opened.get(manifest["definitions"] or ""),
            wordings=opened.get(manifest.get("wordings") or ""),
            policies=tuple(manifest["policies"]),
        )

    def versions(self, *, older_than_s: float) -> set[str]:
        """Return the versions that were indexed so long ago, by whatever encoder."""
        before = time.time() - older_than_s
        found = set()
        for path in self._generations.glob("*.json"):
            with suppress(WranerError, FileNotFoundError):
                if path.stat().st_mtime < before:
                    found.add(_read_manifest(path)["version"])
        return found

    def drop(self, pack_version: str) -> None:
        """Forget a version, by whatever encoder; segments that none needs any more are deleted.

        Those who have it open keep reading. Dropping what is not there changes nothing.
        """
        with self._locked():
            self._path(pack_version).unlink(missing_ok=True)
            needed: set[str] = set()
            for path in self._generations.glob("*.json"):
                try:
                    manifest = _read_manifest(path)
                except WranerError:
                    return  # a damaged manifest does not tell what it needs: keep everything
                if manifest["version"] == pack_version:
                    path.unlink()
                else:
                    needed.update(_names(manifest))
            for folder in self._segments.iterdir():
                if folder.name not in needed and not _being_written(folder):
                    segments.remove(folder)

    def _path(self, pack_version: str) -> Path:
        """Return where a version's generation lies, or if there is none, where one might.

        A version does not tell of which kind its pack is, so each kind's place is looked at.
        """
        places = [
            self._place(
                identity_of(pack_version, kind, encoders=self._encoders, settings=self._settings)
            )
            for kind in get_args(PackKind)
        ]
        return next((place for place in places if place.is_file()), places[0])

    def _place(self, identity: str) -> Path:
        return self._generations / f"{identity}.json"

    def _publish(self, generation: Generation) -> bool:
        """Write new segments, then the manifest; False where a kept segment has been dropped."""
        written: dict[str, Path] = {}
        try:
            for segment in generation.all_segments:
                if not isinstance(segment.vectors, np.memmap):
                    written[segment.name] = segments.write(segment, self._segments)
            return self._publish_written(written, generation)
        finally:
            for temporary in written.values():
                segments.discard(temporary)

    def _publish_written(self, written: dict[str, Path], generation: Generation) -> bool:
        with self._locked():
            if self._another_was_first(generation.version):
                return True
            for name, temporary in written.items():
                segments.publish(temporary, name)
            if not all((self._segments / s.name).is_dir() for s in generation.all_segments):
                return False
            _write_manifest(self._place(generation.identity), generation)
        return True

    def _another_was_first(self, pack_version: str) -> bool:
        try:
            self.open(pack_version)
        except (NotFound, Unavailable):
            return False
        return True

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield  # closing the file releases the lock


def _being_written(folder: Path) -> bool:
    """Return whether a segment has no name yet; after a day its writer is taken for dead."""
    try:
        return folder.name.startswith(".") and time.time() - folder.stat().st_mtime < _WRITING_S
    except FileNotFoundError:  # its writer failed and has removed it
        return True


def _names(manifest: dict[str, Any]) -> list[str]:
    """Return the names of the segments that a generation needs; older ones have no wordings."""
    own = (manifest["definitions"], manifest.get("wordings"))
    return [*(name for name, _ in manifest["parts"]), *(name for name in own if name is not None)]


def _write_manifest(path: Path, generation: Generation) -> None:
    definitions, wordings = generation.definitions, generation.wordings
    content = {
        "format": _FORMAT,
        "identity": generation.identity,
        "version": generation.version,
        "kind": generation.kind,
        "parts": [[part.segment.name, list(part.gone)] for part in generation.parts],
        "definitions": None if definitions is None else definitions.name,
        "wordings": None if wordings is None else wordings.name,
        "policies": list(generation.policies),
    }
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("w", encoding="ascii") as file:
            json.dump({"content": content, "sha256": _hash(content)}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    to_disk(path.parent)


def _read_manifest(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_bytes())
        content: dict[str, Any] = read["content"]
        if content["format"] != _FORMAT or read["sha256"] != _hash(content):
            raise ValueError
    except FileNotFoundError as error:
        raise NotFound(
            f"no index generation {path.stem} is stored; store the pack again"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unavailable(
            f"the index generation {path.name} is damaged; store the pack again to rebuild it"
        ) from error
    return content


def _hash(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
