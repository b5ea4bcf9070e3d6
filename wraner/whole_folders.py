"""Whole folders: a folder named by its content appears whole or not at all.

Knows nothing of what lies in it.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4


@contextmanager
def appearing(target: Path, *, is_whole: Callable[[], bool]) -> Iterator[Path]:
    """Yield an empty folder that becomes `target` when it is filled; an error leaves no trace.

    What lies at `target` by then is kept where it `is_whole`, since it may be read already, else
    taken for damaged and moved aside, into a folder `.damaged-…`. Whom the process's umask lets
    read its files may read this one, as other users of a volume must.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = target.parent / f".new-{uuid4().hex}"
    folder.mkdir()  # where mkdtemp would let nobody else in
    try:
        yield folder
        to_disk(folder)
        if not _renamed(folder, target) and not is_whole():
            os.replace(target, mkdtemp(prefix=".damaged-", dir=target.parent))
            _renamed(folder, target)  # or another writer of the same content came first
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    to_disk(target.parent)


def to_disk(path: Path) -> None:
    """Wait until a file, or the entries of a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _renamed(folder: Path, target: Path) -> bool:
    """Rename a folder unless another lies there; return whether it was done."""
    try:
        folder.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        return False
    return True
