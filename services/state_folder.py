"""The state folder: what its file system's errors come to for whoever asked for a change.

Knows neither packs nor indexes.
"""

from wraner.errors import Unavailable

_WAY_OUT = "look at the space and rights of WRANER_STATE_DIR"


def unwritable(error: OSError) -> Unavailable:
    """Return the error of a change that could not be written; it names no path."""
    # Where numpy finds the disk full, it says so by two counts of bytes and no number.
    reason = error.strerror or str(error) or type(error).__name__
    return Unavailable(f"the state folder cannot be written to: {reason}; {_WAY_OUT}")
