"""Progress: how far long work has come, on standard error.

A bar only where that is a terminal, and not where results themselves appear there. Knows no work.
"""

import os
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.progress import Task as Bar
from rich.text import Text

from cli.failures import say
from cli.terminal import aside

_BLOCK_BYTES = 2**20


class _Rate(TextColumn):
    """How many a second."""

    def __init__(self, noun: str) -> None:
        super().__init__("")
        self._noun = noun

    def render(self, task: Bar) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.2f} {self._noun}/s" if speed else "", style="dim")


@contextmanager
def counting(
    noun: str, total: int | None, *, shown: bool = True
) -> Iterator[Callable[[int], None]]:
    """Yield a function that counts on by so many of `noun`; `total` None: nobody knows."""
    console = aside()
    if not (shown and console.is_terminal):
        yield lambda _: None
        return
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn(noun), _Rate(noun))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        bar = progress.add_task("", total=total)
        yield lambda count: progress.advance(bar, count)


class Sent:
    """Counts examples that are stored in pieces, and passes the counts on."""

    def __init__(self, counted: Callable[[int], None]) -> None:
        self._counted = counted
        self._count = 0

    def __call__(self, count: int) -> None:
        """Count a piece."""
        self._count += count
        self._counted(count)

    def admit(self, name: str, way_out: str) -> None:
        """Say what was stored before something went wrong, if anything was."""
        if self._count:
            first = "example was" if self._count == 1 else f"{self._count} examples were"
            say(f"{name}: the first {first} stored before this; {way_out}")


def lines_in(files: Sequence[Path]) -> int | None:
    """Count the lines of files, of standard input where there are none; None: it is no file."""
    if files:
        counts = [
            _count(os.open(path, os.O_RDONLY), close=True) if path.is_file() else None
            for path in files  # opened, a named pipe would lose what is in it
        ]
        known = [count for count in counts if count is not None]
        return sum(known) if len(known) == len(counts) else None
    if sys.stdin is None:
        return None
    try:
        return _count(sys.stdin.fileno(), close=False)
    except (OSError, ValueError):  # standard input is no real file
        return None


def _count(handle: int, *, close: bool) -> int | None:
    """Count line ends without moving the place from which the file is read."""
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        count = at = 0
        last = b"\n"
        while block := os.pread(handle, _BLOCK_BYTES, at):
            count, at, last = count + block.count(b"\n"), at + len(block), block[-1:]
        return count + (last != b"\n")
    finally:
        if close:
            os.close(handle)
