"""Calls about many texts: cut into parts, so many open at once, repeated while nobody has room.

Knows neither what is asked nor who answers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from typing import TypeVar

from wraner.errors import Overloaded

Item = TypeVar("Item")
Answer = TypeVar("Answer")

_LONGEST_WAIT_S = 5.0


def parts(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """Yield the items in their order, at most `size` at a time."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


async def all_of(calls: Sequence[Coroutine[None, None, list[Answer]]]) -> list[Answer]:
    """Return what all calls answer, in their order; the first error ends them all."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [one for task in tasks for one in task.result()]


async def once_there_is_room(call: Callable[[], Awaitable[Answer]]) -> Answer:
    """Make a call, again and again as long as it raises `Overloaded`."""
    while True:
        try:
            return await call()
        except Overloaded as error:
            await asyncio.sleep(min(error.retry_after_s, _LONGEST_WAIT_S))
