"""A bounded memory of what was used last, in bytes and in number. Knows not what it keeps."""

from collections import OrderedDict
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")
_MOST = 256  # an opened generation holds up to three files, of often 1,024 that a process may


class Recent(Generic[T]):
    """Keeps the most recently used values, `limit_bytes` in all, but always at least one.

    However small they are, it keeps no more than 256, for each may hold files open.
    """

    def __init__(self, limit_bytes: int, size_of: Callable[[T], int]) -> None:
        self._limit = limit_bytes
        self._size_of = size_of
        self._values: OrderedDict[str, T] = OrderedDict()
        self._lock = Lock()
        self._making: dict[str, Lock] = {}

    def get(self, key: str, make: Callable[[], T]) -> T:
        """Return the value kept under `key`, or make and keep it.

        Of several that ask at once for what is not there, one makes it and the others wait.
        """
        with self._lock:
            if key in self._values:
                return self._used(key)
            making = self._making.setdefault(key, Lock())
        with making:
            with self._lock:
                if key in self._values:
                    return self._used(key)
            try:
                return self._kept(key, make())
            finally:
                with self._lock:
                    self._making.pop(key, None)

    def values(self) -> list[T]:
        """Return all that is kept, the last used first; none counts as used for that."""
        with self._lock:
            return list(reversed(self._values.values()))

    def _used(self, key: str) -> T:
        self._values.move_to_end(key)
        return self._values[key]

    def _kept(self, key: str, value: T) -> T:
        with self._lock:
            self._values[key] = value
            total = sum(self._size_of(v) for v in self._values.values())
            while len(self._values) > 1 and (total > self._limit or len(self._values) > _MOST):
                _, oldest = self._values.popitem(last=False)
                total -= self._size_of(oldest)
        return value
