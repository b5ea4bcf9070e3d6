"""Wanted: work on a thread that ends early when nobody waits for it any more. Knows no work."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

Item = TypeVar("Item")
Found = TypeVar("Found")

# A loop's own threads may be as few as five, which as many long calls would hold to their end. What
# computes for long takes turns itself; all calls that are let in must come to that.
_THREADS = ThreadPoolExecutor(256, thread_name_prefix="wraner-wanted")


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
        return await asyncio.get_running_loop().run_in_executor(_THREADS, work, left())
    except asyncio.CancelledError:
        given_up.set()
        raise
