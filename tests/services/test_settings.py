from pathlib import Path

import pytest

from services.settings import Settings, read_settings


@pytest.mark.parametrize("name", ["encoder", "word_adapter", "policy_adapter", "drop_in"])
def test_folders_are_made_whole_and_words_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert getattr(read_settings(), name) == getattr(Settings(), name) == "bundled"
    monkeypatch.setenv(f"WRANER_{name.upper()}", "own/one")
    assert getattr(read_settings(), name) == str(tmp_path / "own" / "one")
    monkeypatch.setenv(f"WRANER_{name.upper()}", "none")
    assert getattr(read_settings(), name) == "none"
