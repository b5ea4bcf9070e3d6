"""The state folder: what its file system's errors come to for whoever asked for a change.

Only what says that nothing can be written there counts: other errors stay what they are. Knows
neither packs nor indexes.
"""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wraner.errors import Unavailable

RETRY_AFTER_S = 60.0
"""So long should a client wait where each try costs an index and somebody must make room first."""

_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS})
_DENIED = frozenset({errno.EACCES, errno.EPERM})
_SHORT = re.compile(r"\d+ requested and \d+ written")  # numpy on a full disk: without a number
_WAY_OUT = "look at the space and rights of WRANER_STATE_DIR"


def unwritable(error: OSError, state_dir: Path | None = None) -> Unavailable | None:
    """Return the error of a change that could not be written, None where it is another.

    It names no path. Denied access counts where it is to something in `state_dir`.
    """
    full = error.errno in _UNWRITABLE or _SHORT.fullmatch(str(error))
    if not full and not (error.errno in _DENIED and _lies_in(error.filename, state_dir)):
        return None
    return Unavailable(
        f"the state folder cannot be written to: {error.strerror or error}; {_WAY_OUT}",
        retry_after_s=RETRY_AFTER_S,
    )


@contextmanager
def writing_to(state_dir: Path) -> Iterator[None]:
    """Raise what cannot be written as Unavailable, other errors as they are."""
    try:
        yield
    except OSError as error:
        told = unwritable(error, state_dir)
        if told is None:
            raise
        raise told from error


def _lies_in(path: object, folder: Path | None) -> bool:
    if folder is None or not isinstance(path, str | bytes | os.PathLike):  # it may be a number
        return False
    return Path(os.path.abspath(os.fsdecode(path))).is_relative_to(os.path.abspath(folder))
