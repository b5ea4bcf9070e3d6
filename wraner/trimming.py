"""Memory that a process has freed, given back to the machine.

glibc keeps what is freed between pieces still in use, and an engine that works on ever other sizes
leaves hundreds of megabytes of it. Knows no engine.
"""

import ctypes
from functools import lru_cache
from typing import Any


@lru_cache(maxsize=1)
def _malloc_trim() -> Any:
    return getattr(ctypes.CDLL(None), "malloc_trim", None)


def give_back() -> bool:
    """Give freed memory back; return whether there was any. Only glibc can: else nothing is done.

    Costs a pass over what is free, and page faults where it is wanted again: for quiet moments.
    """
    trim = _malloc_trim()
    return trim is not None and bool(trim(0))
