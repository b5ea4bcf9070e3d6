import errno
import itertools
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from index import segments
from index.encoders import Encoders
from index.generations import Generation
from index.search import nearest
from index.settings import IndexSettings
from index.similarity import words_that_count
from index.store import GenerationStore
from wraner.errors import NotFound, Unavailable
from wraner.packs import (
    Domain,
    EntityType,
    JudgedExample,
    Policy,
    PolicySet,
    TaggedExample,
    version,
)

SETTINGS = IndexSettings(kind="ivf_sq8")  # so that a FAISS file is written too


def domain(*texts: str) -> Domain:
    examples = tuple(TaggedExample(text=text) for text in texts)
    return Domain(entity_types=(EntityType(name="thing"),), examples=examples)


BRIDGES = domain(*(f"Bridge number {n} crosses the Rhine" for n in range(300)))
MORE = domain(*(e.text for e in BRIDGES.examples[1:]), "Goethe saw Strasbourg")

RULES = PolicySet(
    policies=(Policy(id="p", title="No fish", definition="Fish."),),
    examples=(JudgedExample(text="Herring!", violates=("p",)),),
)


@pytest.fixture
def encoder(make_encoder: Callable[[], Any]) -> Any:
    return make_encoder()


@pytest.fixture
def store(tmp_path: Path, encoder: Any) -> GenerationStore:
    return GenerationStore(tmp_path / "index", Encoders.same(encoder), SETTINGS)


def answer(generation: Generation, encoder: Any) -> list[tuple[str, float]]:
    query = words_that_count(encoder.encode(["Goethe crosses bridge 17"])[0], SETTINGS)
    hits = nearest(generation, query, 4, SETTINGS)
    return [(hit.entry.record, hit.similarity) for hit in hits]


def visible(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def files_of(root: Path) -> Iterator[Path]:
    yield from (root / "index").rglob("*.*")


def test_what_was_built_is_opened_the_same(store: GenerationStore, encoder: Any) -> None:
    assert not store.has(version(BRIDGES))
    built = store.build(BRIDGES)
    assert store.has(version(BRIDGES))
    encoder.encoded.clear()
    opened = store.open(version(BRIDGES))
    assert encoder.encoded == []
    assert (opened.identity, opened.version, opened.kind) == (
        built.identity,
        version(BRIDGES),
        "Domain",
    )
    assert answer(opened, encoder) == answer(built, encoder)


def test_a_policy_set_is_opened_the_same(store: GenerationStore) -> None:
    store.build(RULES)
    opened = store.open(version(RULES))
    assert opened.policies == ("p",)
    assert opened.definitions is not None
    assert [entry.id for entry in opened.definitions.entries] == ["p"]


def test_building_twice_encodes_once(store: GenerationStore, encoder: Any) -> None:
    store.build(BRIDGES)
    encoder.encoded.clear()
    store.build(BRIDGES)
    assert encoder.encoded == []


def test_an_edit_reuses_the_previous_version(
    store: GenerationStore, encoder: Any, tmp_path: Path
) -> None:
    first = store.build(BRIDGES)
    before = {path: path.read_bytes() for path in files_of(tmp_path)}
    expected = answer(first, encoder)
    encoder.encoded.clear()
    second = store.build(MORE, previous_version=version(BRIDGES))
    assert encoder.encoded == ["Goethe saw Strasbourg"]
    assert second.count == 300
    assert all(path.read_bytes() == content for path, content in before.items())
    assert answer(store.open(version(BRIDGES)), encoder) == expected


@pytest.mark.parametrize("previous", ["never heard of", ""])
def test_a_missing_previous_version_costs_time_only(
    store: GenerationStore, previous: str, encoder: Any
) -> None:
    assert store.build(BRIDGES, previous_version=previous).count == 300


def test_opening_what_is_not_there(store: GenerationStore) -> None:
    with pytest.raises(NotFound, match="store the pack again"):
        store.open("0" * 64)


@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
@pytest.mark.parametrize(
    "name",
    [
        "vectors.npy",
        "weights.npy",
        "offsets.npy",
        "entries.jsonl",
        "words.faiss",
        "owners.npy",
        "manifest.json",
        "generation",
    ],
)
def test_damage_is_found_named_and_mended(
    store: GenerationStore, tmp_path: Path, encoder: Any, name: str, damage: str
) -> None:
    expected = answer(store.build(BRIDGES), encoder)
    pattern = "generations/*.json" if name == "generation" else f"segments/*/{name}"
    (path,) = (tmp_path / "index").glob(pattern)
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "cut":
        path.write_bytes(content[:-7])
    else:
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])
    with pytest.raises((Unavailable, NotFound), match="store the pack again") as caught:
        store.open(version(BRIDGES))
    assert "\n" not in str(caught.value)
    assert answer(store.build(BRIDGES), encoder) == expected
    assert answer(store.open(version(BRIDGES)), encoder) == expected


def test_a_damaged_previous_version_is_not_built_upon(
    store: GenerationStore, tmp_path: Path, encoder: Any
) -> None:
    store.build(BRIDGES)
    (vectors,) = (tmp_path / "index").glob("segments/*/vectors.npy")
    vectors.write_bytes(vectors.read_bytes()[:-2])
    rebuilt = store.build(MORE, previous_version=version(BRIDGES))
    fresh = GenerationStore(tmp_path / "other", Encoders.same(encoder), SETTINGS).build(MORE)
    assert answer(rebuilt, encoder) == answer(fresh, encoder)


def test_a_crash_while_writing_shows_nothing(store: GenerationStore, tmp_path: Path) -> None:
    for broken in ("publish", "write"):
        crash = patch.object(segments, broken, side_effect=KeyboardInterrupt)
        with crash, pytest.raises(KeyboardInterrupt):
            store.build(BRIDGES)
        assert visible(tmp_path / "index" / "segments") == set()
        assert not store.has(version(BRIDGES))
    full = patch.object(os, "replace", side_effect=OSError("disk full"))
    with full, pytest.raises(OSError, match="disk full"):
        store.build(BRIDGES)
    assert not store.has(version(BRIDGES))
    assert store.build(BRIDGES).count == 300


FULL = OSError(errno.ENOSPC, "No space left on device")


def hidden(root: Path) -> list[Path]:
    return list((root / "index").rglob(".*"))


@pytest.mark.parametrize("number", [1, 2])
def test_a_segment_that_finds_the_disk_full_leaves_nothing(
    store: GenerationStore, tmp_path: Path, number: int
) -> None:
    save, numbers = np.save, itertools.count(1)

    def save_until_full(file: Path, array: Any) -> None:
        if file.name == "weights.npy" and next(numbers) == number:
            raise FULL
        save(file, array)

    with patch.object(np, "save", save_until_full), pytest.raises(OSError, match="No space"):
        store.build(RULES)
    assert next(numbers) == number + 1 and hidden(tmp_path) == []
    assert store.build(RULES).policies == ("p",)


@pytest.mark.parametrize("place", ["index.segments.publish", "index.store.json.dump"])
def test_publishing_that_finds_the_disk_full_leaves_nothing_half_written(
    store: GenerationStore, tmp_path: Path, place: str
) -> None:
    with patch(place, side_effect=FULL), pytest.raises(OSError, match="No space"):
        store.build(RULES)
    assert hidden(tmp_path) == []
    assert store.build(RULES).policies == ("p",)


def test_concurrent_builders_do_not_clash(tmp_path: Path, make_encoder: Callable[[], Any]) -> None:
    found: list[list[tuple[str, float]]] = []

    def work(pack: Domain) -> None:
        encoder = make_encoder()
        own = GenerationStore(tmp_path / "index", Encoders.same(encoder), SETTINGS)
        found.append(answer(own.build(pack), encoder))

    threads = [threading.Thread(target=work, args=(BRIDGES,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 6
    assert all(each == found[0] for each in found)
    assert len(visible(tmp_path / "index" / "segments")) == 1
    assert len(list((tmp_path / "index" / "segments").iterdir())) == 1


def test_a_version_that_goes_while_it_is_opened_costs_time_only(store: GenerationStore) -> None:
    store.build(BRIDGES)
    check = segments.check

    def check_and_lose(folder: Path) -> dict[str, Any]:
        manifest = check(folder)
        segments.remove(folder)
        return manifest

    with (
        patch.object(segments, "check", check_and_lose),
        pytest.raises(Unavailable, match="has gone meanwhile; ask again"),
    ):
        store.open(version(BRIDGES))
    assert store.build(MORE, previous_version=version(BRIDGES)).count == 300


@pytest.mark.parametrize("code", [errno.ENOENT, errno.ESTALE])
def test_a_version_that_goes_while_it_is_checked_is_not_a_bare_error(
    store: GenerationStore, code: int
) -> None:
    store.build(BRIDGES)
    with (
        patch.object(segments, "hash_file", side_effect=OSError(code, os.strerror(code))),
        pytest.raises(Unavailable, match="has gone meanwhile; ask again"),
    ):
        store.open(version(BRIDGES))


def test_what_is_renamed_is_on_the_disk_before_and_its_name_after(
    store: GenerationStore, tmp_path: Path
) -> None:
    done: list[tuple[Path, ...]] = []
    replace, index = os.replace, tmp_path / "index"

    def note_and_replace(old: Path, new: Path) -> None:
        done.append((old, new))
        replace(old, new)

    with (
        patch.object(segments, "to_disk", lambda path: done.append((path,))),
        patch("index.store.to_disk", lambda path: done.append((path,))),
        patch.object(os, "replace", note_and_replace),
    ):
        store.build(BRIDGES)
    (segment,), (manifest,) = visible(index / "segments"), visible(index / "generations")
    renamed = [moved for moved in done if len(moved) == 2]
    assert [new for _, new in renamed] == [
        index / "segments" / segment,
        index / "generations" / manifest,
    ]
    for old, new in renamed:
        assert done[done.index((old, new)) + 1] == (new.parent,)
    assert done.index((renamed[0][0],)) < done.index(renamed[0])


def test_dropping_keeps_what_others_need_and_who_has_it_open(
    store: GenerationStore, tmp_path: Path, encoder: Any
) -> None:
    first = store.build(BRIDGES)
    expected = answer(first, encoder)
    store.build(MORE, previous_version=version(BRIDGES))
    kept = answer(store.open(version(MORE)), encoder)
    store.drop(version(BRIDGES))
    assert not store.has(version(BRIDGES))
    assert answer(store.open(version(MORE)), encoder) == kept
    store.drop(version(MORE))
    store.drop(version(MORE))
    assert list((tmp_path / "index" / "segments").iterdir()) == []
    assert answer(first, encoder) == expected  # its files are gone, its map is not


def test_a_version_is_dropped_by_whatever_encoder_it_was_indexed(
    store: GenerationStore, tmp_path: Path, make_encoder: Any
) -> None:
    other = make_encoder()
    other.identity = "other"
    second = GenerationStore(tmp_path / "index", Encoders.same(other), IndexSettings())
    for each in (store, second):
        each.build(BRIDGES)
    assert store.versions(older_than_s=60) == set()
    assert store.versions(older_than_s=-1) == {version(BRIDGES)}
    store.drop(version(BRIDGES))
    assert not second.has(version(BRIDGES)) and store.versions(older_than_s=-1) == set()
    assert list((tmp_path / "index" / "segments").iterdir()) == []


def test_a_kept_segment_that_is_dropped_meanwhile_is_made_anew(
    store: GenerationStore, encoder: Any
) -> None:
    store.build(BRIDGES)
    write = segments.write

    def drop_and_write(segment: Any, folder: Path) -> Path:
        store.drop(version(BRIDGES))
        return write(segment, folder)

    with patch.object(segments, "write", side_effect=drop_and_write):
        built = store.build(MORE, previous_version=version(BRIDGES))
    assert built.count == 300
    assert len(answer(store.open(version(MORE)), encoder)) == 4


def test_what_a_crash_left_behind_is_swept_after_a_day(
    store: GenerationStore, tmp_path: Path
) -> None:
    for name, age_s in ((".old", 90_000), (".new", 60)):
        folder = tmp_path / "index" / "segments" / name
        folder.mkdir()
        os.utime(folder, (time.time() - age_s, time.time() - age_s))
    store.drop("anything")
    assert [p.name for p in (tmp_path / "index" / "segments").iterdir()] == [".new"]


def test_a_damaged_manifest_stops_the_sweeping(store: GenerationStore, tmp_path: Path) -> None:
    store.build(BRIDGES)
    (tmp_path / "index" / "generations" / "other.json").write_text(json.dumps({"content": 1}))
    store.drop(version(BRIDGES))
    assert len(visible(tmp_path / "index" / "segments")) == 1
