"""Lookahead: a blocking iterator, read on a thread of its own, a bounded way ahead.

The event loop goes on while the thread waits for input. Knows no text.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Lookahead(Generic[Item]):
    """Hands over items in order; the thread is never more than `ahead` items in front."""

    def __init__(self, items: Iterator[Item], *, ahead: int) -> None:
        self._items = items
        self._room = threading.Semaphore(ahead)
        self._ready: deque[Item] = deque()
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._ended = False
        self._closed = False
        self._error: BaseException | None = None
        # A daemon: it may wait for a terminal or a pipe that never says anything more.
        threading.Thread(target=self._read, name="reader", daemon=True).start()

    async def first(self) -> Item | None:
        """Wait for the next item and return it, None at the end.

        Raises whatever the iterator raised, after the items before it.
        """
        while not self._ready:
            if self._ended:
                if self._error is not None:
                    raise self._error
                return None
            self._changed.clear()
            await self._changed.wait()
        return self.take()

    def peek(self) -> Item | None:
        """Return the next item if it is there already; it stays there."""
        return self._ready[0] if self._ready else None

    def take(self) -> Item:
        """Return the next item, which is there already."""
        self._room.release()
        return self._ready.popleft()

    def close(self) -> None:
        """Let the thread end at its next item."""
        self._closed = True
        self._room.release()

    def _read(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                self._room.acquire()
                if self._closed:
                    return
                self._tell(item)
        except Exception as caught:
            error = caught
        self._tell(None, error=error, ended=True)

    def _tell(
        self, item: Item | None, *, error: BaseException | None = None, ended: bool = False
    ) -> None:
        def hear() -> None:
            if item is not None:
                self._ready.append(item)
            self._ended, self._error = ended, error
            self._changed.set()

        if not self._closed:
            try:
                self._loop.call_soon_threadsafe(hear)
            except RuntimeError:  # the loop is closed: nobody listens any more
                self._closed = True
