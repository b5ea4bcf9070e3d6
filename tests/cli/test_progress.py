"""Progress: shown to people alone, and counting what there is to do."""

import io
import os
import pty
from pathlib import Path

import pytest

from cli import progress
from tests.cli.conftest import Served, start


@pytest.mark.parametrize(("content", "lines"), [(b"", 0), (b"a\n", 1), (b"a\nb", 2), (b"\n\n", 2)])
def test_lines_of_files_are_counted_without_reading_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, lines: int
) -> None:
    file = tmp_path / "lines"
    file.write_bytes(content)
    assert progress.lines_in([file]) == lines
    assert progress.lines_in([file, file]) == 2 * lines
    with file.open("rb") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert progress.lines_in([]) == lines and stdin.read() == content


def test_nobody_knows_how_long_a_pipe_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    with os.fdopen(read) as stdin, os.fdopen(write, "w"):
        monkeypatch.setattr("sys.stdin", stdin)
        assert progress.lines_in([]) is None
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert progress.lines_in([fifo]) is None, "not opened: who writes into it would lose it"
    for nothing in (io.StringIO(), None):
        monkeypatch.setattr("sys.stdin", nothing)
        assert progress.lines_in([]) is None


@pytest.mark.usefixtures("cities")
def test_a_bar_with_count_and_rate_at_a_terminal(served: Served, tmp_path: Path) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("Ann\n" * 100 + "\n")
    served.delays_s = [0.15] * 7
    ours, theirs = pty.openpty()
    with start("extract", "cities", "--file", str(lines), url=served.url, stderr=theirs) as process:
        os.close(theirs)
        out, _ = process.communicate()
    shown = b""
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        try:
            while part := terminal.read(65_536):
                shown += part
        except OSError:  # Linux says so at the end of a terminal
            pass
    assert len(out.splitlines()) == 101 and b"\x1b" not in out
    assert b"/101" in shown and b"texts/s" in shown
    assert b"wraner: " in shown and b":101: empty" in shown.replace(b"\r\n", b"")
