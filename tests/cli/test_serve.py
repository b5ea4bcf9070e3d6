"""`wraner serve`: options override variables; what serves is `services.main`."""

import os

import pytest

from cli.main import main


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
