import asyncio

import pytest

from training.calls import all_of, once_there_is_room, parts
from wraner.errors import NotFound, Overloaded


def test_parts_hold_everything_in_order() -> None:
    assert [list(p) for p in parts("abcde", 2)] == [["a", "b"], ["c", "d"], ["e"]]
    assert list(parts("", 2)) == []


def test_answers_keep_the_order_of_the_calls() -> None:
    async def answer(number: int) -> list[int]:
        await asyncio.sleep(0.01 / (number + 1))
        return [number, -number]

    assert asyncio.run(all_of([answer(n) for n in range(3)])) == [0, 0, 1, -1, 2, -2]


def test_the_first_error_ends_all_calls() -> None:
    ended: list[str] = []

    async def waits() -> list[int]:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise
        return []

    async def fails() -> list[int]:
        await asyncio.sleep(0)
        raise NotFound("no such adapter")

    with pytest.raises(NotFound, match="no such adapter"):
        asyncio.run(all_of([waits(), fails()]))
    assert ended == ["cancelled"]


def test_a_call_is_repeated_while_there_is_no_room() -> None:
    errors = [Overloaded("full", retry_after_s=0.0)] * 3

    async def call() -> str:
        if errors:
            raise errors.pop()
        return "done"

    assert asyncio.run(once_there_is_room(call)) == "done" and not errors
