"""A volume that is full or read-only costs the changes that it refuses, and says why."""

import asyncio
import errno
import gc
import os
import pickle
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from fastapi.testclient import TestClient

from services import loading, prepare
from services.api import build_api
from services.conditions import condition
from services.settings import Limits
from services.state_folder import unwritable
from services.stock import index_version, stock
from services.writer import Writer
from tests.services.fakes import FakeEngine, FakeIndex, make_gateway
from wraner.errors import Unavailable
from wraner.pack_folders import write_pack_folder
from wraner.packs import Domain, EntityType, Pack, version
from wraner.registry import Kind, PackStore

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
BY_NUMPY = OSError("1195776 requested and 534464 written")
READ_ONLY = OSError(errno.EROFS, os.strerror(errno.EROFS), "/app/state/index")
DANGLING = OSError(errno.ENOENT, os.strerror(errno.ENOENT), "/models/mine/model.safetensors")
UNREADABLE = OSError(errno.EACCES, os.strerror(errno.EACCES), "/models/mine/model.safetensors")
TOO_MANY = OSError(errno.EMFILE, os.strerror(errno.EMFILE), "/app/state/index/ids.npy")
BY_TRANSFORMERS = OSError("Can't load the configuration of 'mine'")
OTHERS = [DANGLING, UNREADABLE, TOO_MANY, BY_TRANSFORMERS]
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


def denied(number: int, path: Any) -> OSError:
    return OSError(number, os.strerror(number), path)


def test_only_what_cannot_be_written_is_told_of_the_state_folder(tmp_path: Path) -> None:
    quota = OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))
    within = [denied(n, str(tmp_path / "index")) for n in (errno.EACCES, errno.EPERM)]
    for error in (FULL, BY_NUMPY, READ_ONLY, quota, *within, denied(errno.EPERM, tmp_path)):
        told = unwritable(error, tmp_path)
        assert told and str(told).startswith("the state folder cannot be written to: ")
        assert str(tmp_path) not in str(told)
    beside = (tmp_path.with_name(f"{tmp_path.name}-2"), 7, None)
    for error in (*OTHERS, *(denied(errno.EACCES, path) for path in beside)):
        assert unwritable(error, tmp_path) is None
    assert unwritable(within[0]) is None


def test_numpy_on_a_full_disk_is_known_by_its_words(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="requested") as caught:
        np.zeros(2**20).tofile("/dev/full")
    assert unwritable(caught.value, tmp_path)


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


@pytest.mark.parametrize("kept", [True, False], ids=["stored", "shipped"])
@pytest.mark.parametrize("error", OTHERS)
def test_a_start_tells_another_error_in_its_own_words(
    tmp_path: Path, error: OSError, kept: bool
) -> None:
    packs, shipped = PackStore(tmp_path / "state"), tmp_path / "shipped"
    if kept:
        packs.publish("rivers", RIVERS, expected=None)
    else:
        write_pack_folder(shipped / "rivers", RIVERS)
    index = FullIndex(RIVERS, error)
    (said,) = stock(packs, index, shipped, say=lambda _: None, superseded_for_s=60)
    assert said == f"rivers is not {'indexed' if kept else 'imported'}: {error}"


@pytest.mark.parametrize(
    ("error", "told", "reason"),
    [
        (FULL, Unavailable, "cannot be written to: No space left"),
        (Unavailable("the encoder's weights are damaged"), Unavailable, "weights are damaged"),
        (TOO_MANY, OSError, "Too many open files"),
    ],
)
def test_what_cannot_be_indexed_when_it_is_asked_for_is_told_and_logged(
    tmp_path: Path, error: Any, told: type[Exception], reason: str
) -> None:
    packs = PackStore(tmp_path)
    packs.publish("rivers", RIVERS, expected=None)
    index = FullIndex(RIVERS, error)
    with structlog.testing.capture_logs() as logs, pytest.raises(told, match=reason) as caught:
        index_version(packs, index, version(RIVERS), state_dir=tmp_path)
    (line,) = logs
    assert (line["event"], line["log_level"], line["pack"]) == ("not indexed", "error", "rivers")
    assert line["errno"] == {FULL: "ENOSPC", TOO_MANY: "EMFILE"}.get(error, "")
    assert line["frames"][-1].endswith(" build") and reason not in str(line)
    if told is Unavailable:  # it goes from process to process
        assert pickle.loads(pickle.dumps(caught.value)).retry_after_s == 60


def test_an_error_says_how_long_a_client_should_wait(
    client: TestClient, engine: FakeEngine
) -> None:
    body = {"inline": RIVERS.model_dump(), "text": "x"}
    for error, wait in ((Unavailable("x"), "1"), (Unavailable("x", retry_after_s=60), "60")):
        engine.error = error
        answer = client.post("/v1/extract", json=body)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, wait)


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


@pytest.mark.parametrize("error", [DANGLING, UNREADABLE, TOO_MANY])
def test_preparation_that_fails_otherwise_names_what_failed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: OSError,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setenv("WRANER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setattr(prepare, "load_base", fail)
    assert prepare.main() == prepare.CANNOT_SERVE
    said = capsys.readouterr().out
    assert f"something unforeseen: {type(error).__name__}: " in said and error.filename in said
    assert "WRANER_STATE_DIR" not in said


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
    assert answer.headers["retry-after"] == "60"
    (line,) = (line for line in logs if line["event"] == "not written")
    assert line["errno"] == ("EROFS" if verb == "delete" else "ENOSPC") and line["frames"]
    assert "/app/state" not in str(logs)
    assert client.get(URL).json()["version"] == before


@pytest.mark.parametrize("error", [UNREADABLE, TOO_MANY])
def test_a_change_that_fails_otherwise_is_our_fault(
    tmp_path: Path, index: FakeIndex, error: OSError
) -> None:
    index.error = error
    api = build_api(make_gateway(tmp_path, index=index))
    with TestClient(api, raise_server_exceptions=False) as client:
        answer = client.put(URL, json=RIVERS.model_dump())
    assert answer.status_code == 500 and "state folder" not in answer.text


class Waiting(FakeIndex):
    """Fails when it is let."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.told, self.begun, self.let = error, threading.Event(), threading.Event()

    def build(self, pack: Pack, previous_version: str | None = None) -> None:
        self.begun.set()
        assert self.let.wait(20)
        raise self.told


@pytest.mark.parametrize(("error", "number"), [(FULL, "ENOSPC"), (RuntimeError("a text"), "")])
def test_what_fails_after_the_client_has_hung_up_is_logged(
    tmp_path: Path, error: Exception, number: str
) -> None:
    index, forgotten = Waiting(error), list[Any]()
    writer = Writer(
        packs=PackStore(tmp_path), generations=index, limits=Limits(), state_dir=tmp_path
    )

    async def hang_up() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, told: forgotten.append(told))
        asked = asyncio.ensure_future(writer.put("rivers", RIVERS, condition(None, None)))
        assert await asyncio.to_thread(index.begun.wait, 20)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        index.let.set()
        while writer._running:
            await asyncio.sleep(0.01)
        gc.collect()  # a task that nobody looks at says so as it goes

    with structlog.testing.capture_logs() as logs:
        asyncio.run(hang_up())
    (line,) = logs
    assert (line["event"], line["errno"]) == ("not written", number) and line["frames"]
    assert forgotten == [] and "a text" not in str(logs)


def test_a_failure_of_the_file_system_is_logged_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), "a private text")

    gateway = make_gateway(tmp_path)
    with structlog.testing.capture_logs() as logs, TestClient(build_api(gateway)) as client:
        monkeypatch.setattr(PackStore, "names", fail)
        assert client.get(f"/v1/{Kind.DOMAIN}").status_code == 500
    (failed,) = (line for line in logs if line["event"] == "failed")
    assert (failed["error"], failed["errno"]) == ("OSError", "EIO")
    assert "a private text" not in str(logs)
