"""`--local`: the same commands without a server."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog
import torch

from cli import local
from cli.local import _patient
from cli.main import main
from services.api import build_api
from services.settings import Settings
from tests.cli.conftest import CITIES, RULES, pack_folder
from tests.services.fakes import FakeIndex, make_gateway
from wraner.pack_folders import read_pack_folder
from wraner.registry import PackStore
from wraner.weights import BaseModel


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("WRANER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("WRANER_PACKS_DIR", str(tmp_path / "none"))
    for name in ("HF_HUB_OFFLINE", "TQDM_DISABLE", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "1")  # what is set meanwhile is forgotten afterwards
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "error")
    threads = torch.get_num_threads()
    yield tmp_path / "state"
    torch.set_num_threads(threads)
    structlog.reset_defaults()


def test_stored_packs_are_read_without_a_model(
    state: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def heavy(*_: object, **__: object) -> None:
        raise AssertionError("nothing heavy is needed")

    monkeypatch.setattr(local, "load_engine", heavy)
    monkeypatch.setattr(local, "load_retriever", heavy)
    assert main(["domains", "list", "--local"]) == 0
    assert main(["domains", "show", "x", "--local"]) == 4
    assert b"there is no 'x' among the domains" in capfdbinary.readouterr().err
    PackStore(state / "packs").publish("rules", RULES, expected=None)
    saved = state.parent / "saved"
    assert main(["policies", "save", "rules", str(saved), "--local"]) == 0
    assert read_pack_folder(saved) == RULES


def test_errors_and_exit_codes_are_those_of_a_server(
    state: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    api = build_api(make_gateway(state, index=FakeIndex()))
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    monkeypatch.setattr(local, "build_api", lambda _: api)
    monkeypatch.setattr(local, "gateway_of", lambda *_, **__: None)
    folder = pack_folder(state.parent / "cities", CITIES)
    assert main(["domains", "add", "cities", folder, "--local"]) == 0
    assert main(["domains", "add", "cities", folder, "--local"]) == 4
    capfdbinary.readouterr()
    assert main(["extract", "cities", "Ann", "x" * 20_001, "--local"]) == 1
    out, err = capfdbinary.readouterr()
    found, refused = [json.loads(line) for line in out.splitlines()]
    assert found["entities"][0]["text"] == "Ann" and refused["line"] == 2
    assert b"WRANER_MAX_CHARACTERS" in err
    assert main(["extract", "nowhere", "Ann", "--local"]) == 4


def test_a_wrong_setting_is_one_line(
    state: Path, capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRANER_PORT", "many")
    assert main(["domains", "list", "--local"]) == 1
    assert capfdbinary.readouterr().err.startswith(b"wraner: WRANER_PORT: ")


@pytest.mark.model
def test_the_real_parts_answer(
    state: Path,
    tiny_base: BaseModel,
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WRANER_BASE_MODEL", str(tiny_base.path))
    folder = pack_folder(state.parent / "cities", CITIES)
    assert main(["domains", "add", "cities", folder, "--local"]) == 0
    assert main(["extract", "cities", "Ann went to Hull.", "--local", "--k", "1"]) == 0
    out, err = capfdbinary.readouterr()
    found = json.loads(out)
    assert found["neighbours"][0]["id"] in {"ghent", "none"}, err
    assert found["coverage"] == {
        "characters": 17,
        "windows": 1,
        "truncated": found["coverage"]["truncated"],
    }


def test_weights_may_take_long_to_load_unless_a_time_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("WRANER_REQUEST_TIMEOUT_S", raising=False)
    assert _patient(Settings()).limits.request_timeout_s == 3600
    monkeypatch.setenv("WRANER_REQUEST_TIMEOUT_S", "7")
    assert _patient(Settings()).limits.request_timeout_s == 7
