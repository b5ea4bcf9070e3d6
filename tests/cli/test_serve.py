"""`wraner serve`: options override variables; what serves is `services.main`."""

import os
from pathlib import Path

import pytest

from cli.main import main
from tests.cli.conftest import ROOT

FOLDERS = {"WRANER_STATE_DIR": "state", "WRANER_PACKS_DIR": "packs"}


@pytest.fixture(autouse=True)
def no_folder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in FOLDERS:
        monkeypatch.setenv(name, "")  # so that what the command sets is forgotten
        monkeypatch.delenv(name)


def test_options_override_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str | None] = {}

    def serving() -> int:
        names = ("WRANER_PORT", "WRANER_HOST", "WRANER_STATE_DIR")
        seen.update({name: os.environ.get(name) for name in names})
        return 2

    monkeypatch.setattr("services.main.main", serving)
    monkeypatch.setenv("WRANER_PORT", "8001")
    monkeypatch.setenv("WRANER_HOST", "0.0.0.0")
    monkeypatch.setenv("WRANER_STATE_DIR", "before")
    assert main(["serve", "--port", "8002", "--state", "/tmp/elsewhere"]) == 2
    assert seen == {
        "WRANER_PORT": "8002",
        "WRANER_HOST": "0.0.0.0",
        "WRANER_STATE_DIR": "/tmp/elsewhere",
    }
    assert main(["serve", "--port", "99999"]) == 2 and seen["WRANER_PORT"] == "8002"


def test_folders_are_the_repositorys_wherever_the_command_is_called(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: dict[str, str | None] = {}

    def serving() -> int:
        seen.update({name: os.environ.get(name) for name in FOLDERS})
        return 0

    monkeypatch.setattr("services.main.main", serving)
    monkeypatch.chdir(tmp_path)
    assert main(["serve"]) == 0
    assert seen == {name: str(ROOT / folder) for name, folder in FOLDERS.items()}
    monkeypatch.setenv("WRANER_PACKS_DIR", "elsewhere")
    assert main(["serve"]) == 0 and seen["WRANER_PACKS_DIR"] == "elsewhere"
