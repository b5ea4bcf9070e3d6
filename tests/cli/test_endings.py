"""How the command ends: servers that are away or busy, closed pipes, Ctrl-C."""

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.counts import counted
from tests.cli.conftest import ROOT, Served, Wraner, start


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wraner.client.retries.FIRST_WAIT_S", 0.001)
    monkeypatch.setattr("cli.target.RESTART_WAIT_S", 0.001)


@pytest.mark.usefixtures("quick_retries")
def test_no_server(wraner: Wraner, nobody: str) -> None:
    ran = wraner("extract", "cities", "A", "--server", nobody)
    assert (ran.code, ran.out) == (3, "")
    assert ran.err.startswith(f"wraner: no server was reached at {nobody} (")
    assert "`wraner serve`" in ran.err and ran.err.count("\n") == 1
    assert wraner("domains", "list", "--server", nobody).code == 3
    debugged = wraner("domains", "list", "--server", nobody, "--debug")
    assert debugged.err.startswith("Traceback") and "\nwraner: no server was" in debugged.err


@pytest.mark.usefixtures("cities", "quick_retries")
@pytest.mark.parametrize("moods", [[(429, "0")], [(503, "0")] * 5], ids=["busy", "restarting"])
def test_a_server_that_is_busy_or_restarts_is_waited_for(
    wraner: Wraner, served: Served, moods: list[tuple[int, str]]
) -> None:
    served.moods = list(moods)
    ran = wraner("extract", "cities", "Ann")
    assert ran.code == 0 and json.loads(ran.out)["entities"], ran.err
    assert served.moods == []


@pytest.mark.usefixtures("cities", "quick_retries")
def test_a_server_that_stays_away_stops_the_stream_and_what_is_done_is_said(
    wraner: Wraner, served: Served
) -> None:
    lines = b"".join(b"%d\n" % n for n in range(1, 100))
    first = wraner("extract", "cities", "--calls", "1", stdin=lines)
    assert first.code == 0
    calls = len(served.asked)
    assert calls >= 99 // 16

    class Failing(list[tuple[int, str]]):
        """Fails from the third call on."""

        def __bool__(self) -> bool:
            return len(served.asked) - calls >= 2

        def pop(self, *_: object) -> tuple[int, str]:
            return 503, "0"

    served.moods = Failing()
    ran = wraner("extract", "cities", "--calls", "1", stdin=lines)
    done = len(ran.out.splitlines())
    assert ran.code == 3 and 0 < done < 99
    assert f"stopped at line {done}; {done} texts done; go on with: wraner extract" in ran.err
    served.moods = []
    rest = wraner("extract", "cities", "--skip", str(done), stdin=lines)
    assert (ran.out + rest.out) == first.out


@pytest.mark.usefixtures("cities")
def test_texts_behind_two_dashes_stay_behind_them(wraner: Wraner) -> None:
    texts = ("-5 is cold", " ", "--skip", "1")
    ran = wraner("extract", "cities", "--strict", "--skip", "0", "--", *texts)
    assert ran.code == 1 and ran.err.endswith(
        "go on with: wraner extract cities --strict --skip 2 -- '-5 is cold' ' ' --skip 1\n"
    )


@pytest.mark.usefixtures("cities")
def test_a_pipe_that_is_closed_ends_quietly(served: Served, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("Ann\n" * 2_000)
    command = f"{sys.executable} -m cli.main extract cities --file {lines} | head -1"
    done = subprocess.run(
        ["bash", "-c", f"{command}; echo ${{PIPESTATUS[0]}}"],
        cwd=ROOT,
        env={"WRANER_URL": served.url, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    first, code = done.stdout.splitlines()
    assert json.loads(first)["text"] == "Ann" and code == "141"
    assert done.stderr == ""


@pytest.mark.usefixtures("cities")
def test_ctrl_c_keeps_what_is_done_and_says_how_to_go_on(served: Served, tmp_path: Path) -> None:
    served.delays_s = [0.0, 0.0, *[30.0] * 20]
    lines = tmp_path / "lines.txt"
    lines.write_text("".join(f"N{n}\n" for n in range(1, 400)))
    with start("extract", "cities", "--file", str(lines), url=served.url) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    found = [json.loads(line)["text"] for line in (first + out).splitlines()]
    assert found == [f"N{n}" for n in range(1, len(found) + 1)]
    assert process.returncode == 130
    assert err.decode().splitlines() == [
        "wraner: interrupted",
        f"wraner: stopped at line {len(found)}; {counted(len(found), 'text')} done; go on with: "
        f"wraner extract cities --file {lines} --skip {len(found)}",
    ]


@pytest.mark.usefixtures("cities")
def test_ctrl_c_while_waiting_for_input_ends_at_once(served: Served) -> None:
    with start("extract", "cities", url=served.url, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"Ann\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["text"] == "Ann"  # not held back
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        assert process.returncode == 130
        assert b"stopped at line 1; 1 text done" in process.communicate()[1]


@pytest.mark.usefixtures("cities")
def test_answers_do_not_wait_for_input_that_has_not_come(served: Served) -> None:
    with start("extract", "cities", url=served.url, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        for text in (b"Ann", b"Bo"):
            process.stdin.write(text + b"\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["text"] == text.decode()
        process.stdin.close()
        assert process.wait(timeout=60) == 0
        process.stdin = None


def test_no_thread_is_left(wraner: Wraner, cities: object) -> None:
    assert wraner("extract", "cities", "--strict", stdin=b"A\n\n" + b"A\n" * 5_000).code == 1
    readers = [thread for thread in threading.enumerate() if thread.name == "reader"]
    for thread in readers:
        thread.join(20)
    assert not any(thread.is_alive() for thread in readers)


def test_a_standard_output_that_is_closed_changes_no_exit_code() -> None:
    program = [sys.executable, "-c", "from cli.main import run; run()"]
    for words, code in (("domains show", 2), ("--help", 0)):
        ran = subprocess.run(
            ["sh", "-c", '"$@" >&-', "sh", *program, *words.split()],
            capture_output=True,
            text=True,
            cwd=ROOT,
            check=False,
        )
        assert ran.returncode == code and "Traceback" not in ran.stderr, ran.stderr
