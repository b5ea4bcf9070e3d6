"""Stock: what another release stored is indexed by this one's encoder."""

from pathlib import Path

from services.stock import index_version
from tests.services.fakes import FakeIndex
from wraner.packs import Domain, EntityType, TaggedExample, version
from wraner.registry import Kind, PackStore

BIRDS = Domain(
    entity_types=(EntityType(name="bird"),), examples=(TaggedExample(id="1", text="no bird"),)
)


def test_a_stored_version_is_indexed_whatever_else_is_damaged(tmp_path: Path) -> None:
    packs, index = PackStore(tmp_path), FakeIndex()
    other = BIRDS.model_copy(update={"description": "others"})
    for name, pack in (("a", other), ("birds", BIRDS)):
        packs.publish(name, pack, expected=None)
    (tmp_path / "domains" / "a" / "CURRENT").write_bytes(b"\xff")
    assert packs.names(Kind.DOMAIN) == ["a", "birds"]
    index_version(packs, index, version(BIRDS), state_dir=tmp_path)
    assert list(index.packs) == [version(BIRDS)]
    index_version(packs, index, "0" * 64, state_dir=tmp_path)  # nobody has it any more
    assert len(index.packs) == 1
