"""`wraner policies save` and `wraner domains save`: what is stored, as a folder again."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CITIES, RULES, Served, Wraner, pack_folder, tagged
from wraner.client.asynchronous import AsyncClient
from wraner.pack_folders import read_pack_folder, write_new_pack_folder
from wraner.packs import Domain, PolicySet, version

GROUPS = pytest.mark.parametrize(
    ("group", "pack"), [("domains", CITIES), ("policies", RULES)], ids=["domains", "policies"]
)


@GROUPS
def test_a_saved_pack_has_the_same_version(
    wraner: Wraner, tmp_path: Path, group: str, pack: Domain | PolicySet
) -> None:
    wraner(group, "add", "mine", pack_folder(tmp_path / "pack", pack))
    folder = tmp_path / "packs" / "saved"
    ran = wraner(group, "save", "mine", str(folder))
    stored = json.loads(wraner(group, "show", "mine").out)["version"]
    size = f"{len(pack.examples)} example{'' if len(pack.examples) == 1 else 's'}"
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == f"wraner: saved mine to {folder}: {size}, version {stored[:12]}\n"
    assert version(read_pack_folder(folder)) == stored
    assert [path.name for path in folder.parent.iterdir()] == ["saved"]
    assert wraner(group, "save", "nope", str(tmp_path / "nope")).code == 4
    assert not (tmp_path / "nope").exists()


@pytest.mark.parametrize("there", [False, True])
def test_a_saved_folders_names_are_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    folder, synced = tmp_path / "mine", list[tuple[Path, bool]]()
    if there:
        folder.mkdir()
    monkeypatch.setattr(
        "wraner.pack_folders.to_disk",
        lambda path: synced.append((path, (folder / "pack.yaml").exists())),
    )
    write_new_pack_folder(folder, CITIES)
    _, last = synced
    assert last == (folder if there else tmp_path, True)


@pytest.mark.usefixtures("cities")
def test_what_lies_in_a_folder_stays(
    wraner: Wraner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    inode = folder.stat().st_ino
    monkeypatch.chdir(folder)
    assert wraner("domains", "save", "cities", ".").code == 0
    assert folder.stat().st_ino == inode and read_pack_folder(folder) == CITIES
    assert sorted(path.name for path in folder.iterdir()) == ["examples.jsonl", "pack.yaml"]
    for taken in (folder, folder / "pack.yaml"):
        ran = wraner("domains", "save", "cities", str(taken))
        assert ran.code == 4 and f"{taken}, which exists already; name another" in ran.err
    assert read_pack_folder(folder) == CITIES


def test_examples_of_several_pages_are_of_one_version(
    wraner: Wraner, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = tuple(tagged(f"text {n}", id=f"e{n}") for n in range(2_100))
    big = CITIES.model_copy(update={"examples": examples})
    wraner("domains", "add", "big", pack_folder(tmp_path / "big", big))
    assert wraner("domains", "save", "big", str(tmp_path / "saved")).code == 0
    assert version(read_pack_folder(tmp_path / "saved")) == version(big)
    paging = AsyncClient.domain_examples

    async def changed_behind(self: AsyncClient, name: str, **how: Any) -> Any:
        if how.get("after"):
            await self.delete_domain_example(name, "e0")
        return await paging(self, name, **how)

    monkeypatch.setattr(AsyncClient, "domain_examples", changed_behind)
    ran = wraner("domains", "save", "big", str(tmp_path / "torn"))
    assert ran.code == 1 and "'big' changed while it was read; try again" in ran.err
    assert not (tmp_path / "torn").exists()
