import asyncio
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import pytest

from wraner.wanted import while_wanted


def test_long_calls_leave_no_other_without_a_thread() -> None:
    together = threading.Barrier(6)

    def meet(items: Iterable[int]) -> list[int]:
        together.wait(timeout=30)  # broken where one of the six waits for another's end
        return list(items)

    async def run() -> list[list[int]]:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        return await asyncio.gather(*(while_wanted(meet, [n]) for n in range(6)))

    assert asyncio.run(run()) == [[n] for n in range(6)]


def test_what_nobody_waits_for_ends_at_its_next_item() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()
    seen: list[int] = []

    def look(items: Iterable[int]) -> list[int]:
        for item in items:
            seen.append(item)
            begun.set()
            go_on.wait(timeout=30)
        done.set()
        return seen

    async def run() -> None:
        task = asyncio.ensure_future(while_wanted(look, range(100)))
        await asyncio.to_thread(begun.wait, 30)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()

    asyncio.run(run())
    assert done.wait(timeout=30) and seen == [0]


def test_without_items_nothing_is_done() -> None:
    def never(_: Iterable[int]) -> list[int]:
        raise AssertionError

    assert asyncio.run(while_wanted(never, [])) == []
