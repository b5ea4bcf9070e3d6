"""Whole folders: there or not, and readable by whom the umask lets."""

import os
from pathlib import Path

import pytest

from wraner import whole_folders
from wraner.whole_folders import appearing


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o755), (0o002, 0o775), (0o077, 0o700)])
def test_a_folder_has_the_mode_of_any_other(tmp_path: Path, umask: int, mode: int) -> None:
    before = os.umask(umask)
    try:
        with appearing(tmp_path / "x", is_whole=lambda: False) as folder:
            assert not list(folder.iterdir())
            (folder / "file").write_text("content")
    finally:
        os.umask(before)
    assert (tmp_path / "x").stat().st_mode & 0o777 == mode
    assert [p.name for p in tmp_path.iterdir()] == ["x"]


def test_what_a_folder_holds_is_on_the_disk_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, synced = tmp_path / "x", list[tuple[Path, bool]]()
    monkeypatch.setattr(
        whole_folders, "to_disk", lambda path: synced.append((path, target.exists()))
    )
    with appearing(target, is_whole=lambda: False) as folder:
        assert synced == []
    assert synced == [(folder, False), (tmp_path, True)]


def test_what_fails_leaves_no_trace_and_what_lay_there_stays(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "old").touch()
    with pytest.raises(RuntimeError), appearing(tmp_path / "x", is_whole=lambda: False):
        raise RuntimeError
    assert [p.name for p in tmp_path.rglob("*")] == ["x", "old"]
    with appearing(tmp_path / "x", is_whole=lambda: False) as folder:
        (folder / "new").touch()
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["new"]
    (aside,) = tmp_path.glob(".damaged-*")
    assert (aside / "old").is_file()
    with appearing(tmp_path / "x", is_whole=(tmp_path / "x" / "new").is_file) as folder:
        (folder / "newest").touch()
    assert [p.name for p in (tmp_path / "x").iterdir()] == ["new"], "it may be read already"
    assert len(list(tmp_path.iterdir())) == 2
