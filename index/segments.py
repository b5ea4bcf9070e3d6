"""Segments: immutable runs of entries with their words' vectors, in memory or on disk.

A segment on disk is a folder whose manifest holds the size and hash of every file. It is written
under another name and then renamed, so nothing half-written is ever visible, and a name stands for
one content. Knows neither packs nor what an entry's record means.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from index import candidates
from index.bundled import hash_file
from index.candidates import WordIndex
from index.encoder import Floats
from index.settings import IndexSettings, Kind
from index.similarity import Grid, Ints, Words, concatenate, from_grid
from wraner.errors import Unavailable
from wraner.whole_folders import to_disk

_FORMAT = "segment-3"  # changes too where `wraner.chunks` cuts words otherwise
_MANIFEST = "manifest.json"
_BLOCK_TEXTS = 512


@dataclass(frozen=True, slots=True)
class Entry:
    """What is indexed: an id, the hash of its content, and its record (one line of JSON)."""

    id: str
    digest: str
    record: str

    @classmethod
    def of_text(cls, identifier: str, text: str) -> "Entry":
        """Return the entry of a text that needs no record."""
        return cls(identifier, hashlib.sha256(text.encode()).hexdigest(), "{}")


@dataclass(frozen=True, eq=False)
class Segment:
    """Entries in ascending order of id, with their words.

    *Shape:* ``vectors`` (n_words, dimension) int16 on the grid; ``weights`` (n_words,) float32;
    entry i owns the rows ``offsets[i]`` to ``offsets[i + 1]``, none only where texts are all that
    is compared; ``texts`` (n_entries, text dimension) int16.
    """

    name: str
    entries: Sequence[Entry]
    vectors: Grid
    weights: Floats
    offsets: Ints
    texts: Grid
    kind: Kind
    index: WordIndex | None

    def holds(self, entries: Sequence[Entry]) -> bool:
        """Return whether these are its entries, by id and content."""
        return {(e.id, e.digest) for e in self.entries} == {(e.id, e.digest) for e in entries}

    def kept(self, entries: Iterable[Entry]) -> dict[str, Words]:
        """Return by their ids the words of those that are its own, by id and content."""
        found = self.find({entry.id: entry.digest for entry in entries})
        return {id_: self.words(row) for id_, row in found.items()}

    def find(self, digests: Mapping[str, str]) -> dict[str, int]:
        """Return by their ids the numbers of the entries that have these ids and digests."""
        rows = ((id_, self.rows.get(id_), digest) for id_, digest in digests.items())
        return {
            id_: row
            for id_, row, digest in rows
            if row is not None and self.entries[row].digest == digest
        }

    @cached_property
    def rows(self) -> dict[str, int]:
        """The number of each entry by its id."""
        return {entry.id: number for number, entry in enumerate(self.entries)}

    @cached_property
    def floats(self) -> Floats:
        """All vectors as float32, kept in memory: for flat segments."""
        return from_grid(self.vectors)

    def words(self, number: int) -> Words:
        """Return the words of one entry (their places are not kept)."""
        start, end = self.offsets[number], self.offsets[number + 1]
        nowhere = np.zeros(0, np.int64)
        return Words(self.vectors[start:end], self.weights[start:end], nowhere, self.texts[number])

    def likeness(self, rows: Ints, text: Grid) -> Floats:
        """Return how near the whole texts of some entries lie to `text`. *Shape:* (n_rows,)."""
        near, vector = np.empty(len(rows), np.float32), from_grid(text)
        for first in range(0, len(rows), _BLOCK_TEXTS):  # as floats they stay in the cache
            block = slice(first, first + _BLOCK_TEXTS)
            near[block] = from_grid(self.texts[rows[block]]) @ vector
        return near


def make(pairs: list[tuple[Entry, Words]], storage: str, settings: IndexSettings) -> Segment:
    """Return a segment in memory, indexed as its size asks for.

    `storage` names encoder and storage settings; with the entries it makes the segment's name.
    Empties the list, so that a large pack is not held twice.

    Raises:
        ValueError: no entries.
    """
    if not pairs:
        raise ValueError("expected at least one entry for a segment, was: none")
    pairs.sort(key=lambda pair: pair[0].id)
    entries = [entry for entry, _ in pairs]
    parts = [words for _, words in pairs]
    pairs.clear()
    texts = np.stack([words.text for words in parts])
    vectors, weights, offsets = concatenate(parts)
    kind = settings.kind_for(len(vectors))
    return Segment(
        name=_name(entries, storage, kind),
        entries=entries,
        vectors=vectors,
        weights=weights,
        offsets=offsets,
        texts=texts,
        kind=kind,
        index=candidates.train(vectors, weights, offsets, kind, settings),
    )


def _name(entries: Sequence[Entry], storage: str, kind: Kind) -> str:
    content = [_FORMAT, storage, kind, [(e.id, e.digest) for e in entries]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]


def write(segment: Segment, folder: Path) -> Path:
    """Write a segment into `folder` under a temporary name, for `publish`; return its path.

    An error leaves no trace: on a full disk, nothing half-written takes what is left of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{segment.name}.{uuid.uuid4().hex}"
    temporary.mkdir()
    try:
        _write(segment, temporary)
    except BaseException:
        discard(temporary)
        raise
    return temporary


def discard(temporary: Path) -> None:
    """Delete what `write` returned, unless it has its name by now."""
    shutil.rmtree(temporary, ignore_errors=True)


def _write(segment: Segment, temporary: Path) -> None:
    np.save(temporary / "vectors.npy", segment.vectors)
    np.save(temporary / "weights.npy", segment.weights)
    np.save(temporary / "offsets.npy", segment.offsets)
    np.save(temporary / "texts.npy", segment.texts)
    with (temporary / "entries.jsonl").open("w", encoding="ascii") as file:
        for entry in segment.entries:
            file.write(json.dumps([entry.id, entry.digest, entry.record]) + "\n")
    if segment.index is not None:
        candidates.write(segment.index, temporary)
    files = {p.name: [p.stat().st_size, hash_file(p)] for p in sorted(temporary.iterdir())}
    manifest = {"format": _FORMAT, "name": segment.name, "kind": segment.kind, "files": files}
    (temporary / _MANIFEST).write_text(json.dumps(manifest, indent=1))
    for path in (*temporary.iterdir(), temporary):
        to_disk(path)


def publish(temporary: Path, name: str) -> Path:
    """Give a written segment its name; a sound one that stands there already is kept."""
    final = temporary.parent / name
    if final.exists():
        try:
            check(final)
        except Unavailable:
            remove(final)
        else:
            shutil.rmtree(temporary)
            return final
    os.replace(temporary, final)
    to_disk(final.parent)
    return final


def remove(folder: Path) -> None:
    """Delete a segment at once for newcomers; those who have it open keep reading it."""
    gone = folder.parent / f".gone.{uuid.uuid4().hex}"
    os.replace(folder, gone)
    shutil.rmtree(gone, ignore_errors=True)


def check(folder: Path) -> dict[str, Any]:
    """Return a segment's manifest after comparing every file's size and hash with it.

    Raises:
        Unavailable: a file is missing or differs, or the segment goes meanwhile; names it and the
            way out.
    """
    way_out = "store the pack again to rebuild its index"
    try:
        manifest: dict[str, Any] = json.loads((folder / _MANIFEST).read_bytes())
        files = dict(manifest["files"])
        if manifest["format"] != _FORMAT or manifest["name"] != folder.name:
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Unavailable(
            f"expected a segment of format {_FORMAT} in {folder.name}, its manifest is missing or "
            f"damaged; {way_out}"
        ) from error
    for name, (size, sha256) in files.items():
        path = folder / name
        try:
            whole = path.is_file() and path.stat().st_size == size and hash_file(path) == sha256
        except OSError as error:
            raise _gone(folder) from error
        if not whole:
            raise Unavailable(
                f"the index file {folder.name}/{name} is missing or damaged; {way_out}"
            )
    return manifest


def _gone(folder: Path) -> Unavailable:
    """Return the error where another process let a segment go while it was opened."""
    return Unavailable(f"the index {folder.name} has gone meanwhile; ask again")


def read(folder: Path) -> Segment:
    """Open a segment, its vectors memory-mapped, after checking it.

    Raises:
        Unavailable: it is missing or damaged, or goes meanwhile.
    """
    manifest = check(folder)
    try:
        return _read(folder, manifest["kind"])
    except OSError as error:
        raise _gone(folder) from error


def _read(folder: Path, kind: Kind) -> Segment:
    with (folder / "entries.jsonl").open(encoding="ascii") as file:
        entries = [Entry(*json.loads(line)) for line in file]
    return Segment(
        name=folder.name,
        entries=entries,
        vectors=np.load(folder / "vectors.npy", mmap_mode="r"),
        weights=np.load(folder / "weights.npy"),
        offsets=np.load(folder / "offsets.npy"),
        texts=np.load(folder / "texts.npy"),
        kind=kind,
        index=candidates.read(folder),
    )
