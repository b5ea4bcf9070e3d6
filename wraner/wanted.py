"""Wanted: work on a thread that ends early when nobody waits for it any more. Knows no work."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Event
from typing import TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")


async def while_wanted(
    work: Callable[[Iterable[Item]], list[Found]], items: Sequence[Item]
) -> list[Found]:
    """Do on a thread what looks at items one by one; it ends early when nobody waits any more.

    Without items no thread is waited for: so who is busy tells that it is there.
    """
    if not items:
        return []
    given_up = Event()

    def left() -> Iterator[Item]:
        for item in items:
            if given_up.is_set():
                return
            yield item

    try:
        return await asyncio.to_thread(work, left())
    except asyncio.CancelledError:
        given_up.set()
        raise
