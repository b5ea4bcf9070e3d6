"""A volume that is full or read-only costs the changes that it refuses, and says why."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import structlog
from fastapi.testclient import TestClient

from services import loading, prepare
from services.api import build_api
from services.stock import index_version, stock
from tests.services.fakes import FakeIndex, make_gateway
from wraner.errors import Unavailable
from wraner.pack_folders import write_pack_folder
from wraner.packs import Domain, EntityType, Pack, version
from wraner.registry import Kind, PackStore

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
BY_NUMPY = OSError("1195776 requested and 534464 written")
READ_ONLY = OSError(errno.EROFS, os.strerror(errno.EROFS), "/app/state/index")
RIVERS, HILLS = (Domain(entity_types=(EntityType(name=name),)) for name in ("river", "hill"))
URL = "/v1/domains/rivers"
EXAMPLES = {"examples": [{"id": "x", "text": "x"}]}


class FullIndex(FakeIndex):
    """Has no room for one pack."""

    def __init__(self, refused: Pack, error: OSError) -> None:
        super().__init__()
        self.refused, self.full = refused, error

    def build(self, pack: Pack, previous_version: str | None = None) -> None:
        if pack == self.refused:
            raise self.full
        super().build(pack, previous_version)


@pytest.mark.parametrize(
    ("error", "reason"),
    [(FULL, "No space left"), (BY_NUMPY, "534464 written"), (READ_ONLY, "Read-only file system")],
)
@pytest.mark.parametrize("kept", [True, False], ids=["stored", "shipped"])
def test_a_start_passes_over_what_cannot_be_indexed(
    tmp_path: Path, error: OSError, reason: str, kept: bool
) -> None:
    packs, index = PackStore(tmp_path / "state"), FullIndex(RIVERS, error)
    for name, pack in (("rivers", RIVERS), ("the-hills", HILLS)):
        if kept:
            packs.publish(name, pack, expected=None)
        else:
            write_pack_folder(tmp_path / "shipped" / name, pack)
    said: list[str] = []
    (complaint,) = stock(packs, index, tmp_path / "shipped", say=said.append, superseded_for_s=60)
    assert complaint.startswith("rivers is not ") and reason in complaint
    assert complaint.endswith("look at the space and rights of WRANER_STATE_DIR")
    assert list(index.packs) == [version(HILLS)] and len(said) == 2


def test_what_cannot_be_indexed_when_it_is_asked_for_is_unavailable(tmp_path: Path) -> None:
    packs = PackStore(tmp_path)
    packs.publish("rivers", RIVERS, expected=None)
    with pytest.raises(Unavailable, match="cannot be written to: No space left"):
        index_version(packs, FullIndex(RIVERS, FULL), version(RIVERS))


def test_preparation_that_finds_no_room_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WRANER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("WRANER_PACKS_DIR", str(tmp_path / "packs"))
    monkeypatch.setattr(prepare, "load_base", lambda *_, **__: None)
    monkeypatch.setattr(loading, "_generations", lambda *_: FullIndex(RIVERS, FULL))
    monkeypatch.setattr(loading, "_encoders", lambda *_: None)
    write_pack_folder(tmp_path / "packs" / "rivers", RIVERS)
    assert prepare.main() == prepare.SOME_FAILED
    assert f"{prepare.COMPLAINT}rivers is not imported" in capsys.readouterr().out

    def fail(*_: object, **__: object) -> None:
        raise READ_ONLY

    monkeypatch.setattr(prepare, "load_base", fail)
    assert prepare.main() == prepare.CANNOT_SERVE
    said = capsys.readouterr().out
    assert "cannot be written to: Read-only file system" in said and "unforeseen" not in said


@pytest.mark.parametrize("verb", ["put", "add", "delete"])
def test_a_change_that_cannot_be_written_is_unavailable_and_says_why(
    client: TestClient, index: FakeIndex, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    before = client.put(URL, json=RIVERS.model_dump()).json()["version"]

    def fail(*_: Any, **__: Any) -> None:
        raise READ_ONLY

    index.error = FULL
    with structlog.testing.capture_logs() as logs, monkeypatch.context() as patched:
        patched.setattr(PackStore, "delete", fail)
        answer = {
            "put": lambda: client.put(URL, json=HILLS.model_dump()),
            "add": lambda: client.post(f"{URL}/examples", json=EXAMPLES),
            "delete": lambda: client.delete(URL),
        }[verb]()
    assert answer.status_code == 503, answer.text
    reason = "Read-only file system" if verb == "delete" else "No space left on device"
    detail = answer.json()["detail"]
    assert detail.startswith(f"the state folder cannot be written to: {reason}; look at")
    assert "/app/state" not in detail
    assert [line["error"] for line in logs if line["event"] == "not written"] == [detail]
    assert client.get(URL).json()["version"] == before


def test_a_failure_of_the_file_system_is_logged_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), "a private text")

    gateway = make_gateway(tmp_path)
    monkeypatch.setattr(PackStore, "names", fail)
    with structlog.testing.capture_logs() as logs, TestClient(build_api(gateway)) as client:
        assert client.get(f"/v1/{Kind.DOMAIN}").status_code == 500
    (failed,) = (line for line in logs if line["event"] == "failed")
    assert (failed["error"], failed["errno"]) == ("OSError", "EIO")
    assert "a private text" not in str(logs)
