"""Rounds: the same question asked of many things, so many at once, and how long it took."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


async def measure(
    ask: Callable[[T], Awaitable[None]], asked: Sequence[T], concurrency: int
) -> tuple[float, list[float]]:
    """Return the seconds of a round and of each request."""
    waiting, taken = list(asked), []

    async def work() -> None:
        while waiting:
            began = time.perf_counter()
            await ask(waiting.pop())
            taken.append(time.perf_counter() - began)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(concurrency)))
    return time.perf_counter() - began, taken
