"""Whole lines: bytes written line by line, each at once; into a file whole or not at all.

Knows no format.
"""

import errno
import os
import stat
from contextlib import suppress
from typing import BinaryIO


class WholeLines:
    """Writes lines."""

    def __init__(self, out: BinaryIO) -> None:
        out.flush()
        # Unbuffered: a buffer would keep the rest of a line that fails, and write it at the end.
        self._out = getattr(out, "raw", out)

    def put(self, line: bytes) -> None:
        """Write a line with its end; where a file has no room for the whole, nothing of it stays.

        Raises:
            OSError: it could not be written.
        """
        left, written = memoryview(line), 0
        try:
            while written < len(left):
                taken = self._out.write(left[written:])
                if taken is None:
                    raise BlockingIOError(errno.EAGAIN, "standard output would block")
                written += taken
            self._out.flush()
        except OSError:
            self._take_back(written)
            raise

    def _take_back(self, written: int) -> None:
        """Cut the last bytes off, if this is a file and nobody has written behind them."""
        with suppress(OSError):  # no file, but a pipe or a terminal
            file = self._out.fileno()
            end, found = os.lseek(file, 0, os.SEEK_CUR), os.fstat(file)
            if stat.S_ISREG(found.st_mode) and found.st_size == end:
                os.ftruncate(file, end - written)
                os.lseek(file, end - written, os.SEEK_SET)
