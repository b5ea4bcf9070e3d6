"""Adapters on disk: written whole, found by their hash, damage told."""

from datetime import date
from pathlib import Path

import pytest

from tests.wraner.random_adapters import hollow_adapter, manifest_of
from wraner.adapters import (
    CONFIG,
    MANIFEST,
    WEIGHTS,
    AdapterManifest,
    TrainingData,
    content_hash,
    dated_as_stored,
    identities,
    read_adapter,
    write_adapter,
)
from wraner.errors import InvalidInput, NotFound, Unavailable
from wraner.weights import BaseModel

ROOT = Path(__file__).parents[2]
BASE = BaseModel(Path("none"), "tiny", "0" * 64)


def saved(folder: Path, config: str = "{}") -> Path:
    folder.mkdir()
    (folder / CONFIG).write_text(config)
    (folder / WEIGHTS).write_bytes(b"weights")
    (folder / "README.md").write_text("as PEFT leaves one")
    return folder


def test_what_ships_is_small_enough_for_a_repository() -> None:
    shipped = {p.parent for p in (ROOT / "adapters").rglob(WEIGHTS)}
    tasks = {folder.relative_to(ROOT / "adapters").parts[0] for folder in shipped}
    assert tasks == {"ner", "moderation", "words", "policies"}
    for folder in shipped:
        assert sum(file.stat().st_size for file in folder.iterdir()) < 25_000_000, folder


def test_an_adapter_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    source = saved(tmp_path / "saved")
    data = (TrainingData(name="news", terms="CC BY 4.0", sentences=7),)
    manifest = manifest_of(
        BASE, data=data, metrics={"dev": {"f1": 0.5}}, config={"rank": 8}, parent="f" * 64
    )
    adapters = tmp_path / "state" / "adapters"
    identity = write_adapter(adapters, source, manifest)
    assert identity == content_hash(source) == content_hash(adapters / identity)
    assert read_adapter(adapters, identity) == manifest.model_copy(update={"sha256": identity})
    assert sorted(p.name for p in (adapters / identity).iterdir()) == [CONFIG, WEIGHTS, MANIFEST]
    assert identities(adapters) == [identity] == [p.name for p in adapters.iterdir()]


def test_writing_again_keeps_the_weights_and_says_what_is_known_by_now(tmp_path: Path) -> None:
    source, adapters = saved(tmp_path / "saved"), tmp_path / "adapters"
    identity = write_adapter(adapters, source, manifest_of(BASE))
    weights = adapters / identity / WEIGHTS
    before = weights.stat().st_ino
    again = write_adapter(adapters, adapters / identity, manifest_of(BASE, forced=True))
    assert again == identity and read_adapter(adapters, identity).forced
    assert weights.stat().st_ino == before


def test_what_is_stored_already_keeps_its_date(tmp_path: Path) -> None:
    source, adapters = saved(tmp_path / "saved"), tmp_path / "adapters"
    later = manifest_of(BASE, created=date(2027, 1, 1))
    assert dated_as_stored(adapters, source, later) == later
    write_adapter(adapters, source, manifest_of(BASE))
    assert dated_as_stored(adapters, source, later) == manifest_of(BASE)


def test_writing_again_mends_what_is_damaged(tmp_path: Path) -> None:
    source, adapters = saved(tmp_path / "saved"), tmp_path / "adapters"
    identity = write_adapter(adapters, source, manifest_of(BASE))
    (adapters / identity / WEIGHTS).write_bytes(b"cut")
    with pytest.raises(Unavailable, match="restore its folder"):
        read_adapter(adapters, identity)
    assert write_adapter(adapters, source, manifest_of(BASE)) == identity
    assert read_adapter(adapters, identity).sha256 == identity


def test_what_cannot_be_written_leaves_no_trace(tmp_path: Path) -> None:
    adapters = tmp_path / "adapters"
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInput, match="save an adapter there as PEFT does"):
        write_adapter(adapters, tmp_path / "empty", manifest_of(BASE))
    other = manifest_of(BASE, sha256="1" * 64)
    with pytest.raises(InvalidInput, match="leave its sha256 out"):
        write_adapter(adapters, saved(tmp_path / "saved"), other)
    assert not adapters.exists()


def test_only_hashes_are_names(tmp_path: Path) -> None:
    hollow_adapter(BASE, tmp_path, "{}")
    (tmp_path / "scratch").mkdir()
    assert len(identities(tmp_path)) == 1
    for name in ("scratch", "../x", "", "0" * 64):
        with pytest.raises(NotFound, match="wraner adapters list"):
            read_adapter(tmp_path, name)


@pytest.mark.parametrize("wrong", [{"task": "summaries"}, {"mood": "good"}, {"created": "soon"}])
def test_a_manifest_that_says_something_else_is_refused(wrong: dict[str, str]) -> None:
    content = manifest_of(BASE).model_dump(mode="json")
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AdapterManifest.model_validate({**content, **wrong})
