"""Claims: a run's folder is one process's at a time, or two would write over each other's state.

The claim ends with the process, however that ends. Knows no training.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from wraner.errors import Unavailable


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Hold a run's folder, which is made where it is not there.

    Raises:
        Unavailable: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "running.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise Unavailable(
            f"expected {folder} for this run alone, was: in use by another process that trains "
            "with the same settings; wait for it, or stop it"
        ) from None
    try:
        yield
    finally:
        lock.release()
