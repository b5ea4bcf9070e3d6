"""A pointer: a small file that says what is current, flipped whole while a lock is held.

Whoever reads needs no lock and sees what was there before a flip or after it. Compare-and-swap is
to read, compare and flip while `locked`. Knows nothing of what it points at.
"""

import os
from pathlib import Path

from filelock import FileLock

from wraner.whole_folders import to_disk


class Pointer:
    """One file, and the lock that its writers hold. Safe for many threads and processes at once."""

    def __init__(self, file: Path, *, lock: Path) -> None:
        self.file = file
        self._lock = lock

    def read(self) -> bytes:
        """Return the content.

        Raises:
            FileNotFoundError: it points nowhere.
        """
        return self.file.read_bytes()

    def locked(self) -> FileLock:
        """Return what to hold while reading, comparing and flipping; the folder is made."""
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        return FileLock(self._lock)

    def flip(self, content: str) -> None:
        """Replace the content; it is on the disk when this returns."""
        fresh = self.file.with_name(f"{self.file.name}.new")
        with fresh.open("w", encoding="utf-8") as out:
            out.write(content + "\n")
            out.flush()
            os.fsync(out.fileno())
        self._rename(fresh, self.file)

    def retire(self, other: Path) -> None:
        """Rename the file to `other` of its folder: from now on it points nowhere.

        Raises:
            FileNotFoundError: it pointed nowhere before.
        """
        self._rename(self.file, other)

    def _rename(self, source: Path, target: Path) -> None:
        os.replace(source, target)
        to_disk(self.file.parent)
