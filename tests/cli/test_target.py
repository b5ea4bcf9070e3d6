"""The target: a server that is waited for is waited for aloud."""

import asyncio

import pytest

from cli.target import Waiting, past_restart
from wraner.client.problems import NotWraner, Unreachable


def test_long_waits_are_told_but_not_each(capsys: pytest.CaptureFixture[str]) -> None:
    slept: list[float] = []

    async def sleep(wait_s: float) -> None:
        slept.append(wait_s)

    clock_s = iter((0.0, 20.0, 40.0, 60.0))

    async def wait() -> None:
        waiting = Waiting(sleep=sleep, now_s=lambda: next(clock_s))
        for wait_s in (0.5, 4.0, 8.0, 16.0):
            await waiting(wait_s)

    asyncio.run(wait())
    assert slept == [0.5, 4.0, 8.0, 16.0]
    told = "wraner: the server is away or overloaded; waiting for it\n"
    assert capsys.readouterr().err == 2 * told


@pytest.mark.parametrize(
    ("kind", "fails", "calls"), [(Unreachable, 3, 4), (Unreachable, 99, 9), (NotWraner, 1, 1)]
)
def test_a_server_that_restarts_is_waited_for(
    kind: type[Exception], fails: int, calls: int
) -> None:
    made = 0

    async def call() -> str:
        nonlocal made
        made += 1
        if made <= fails:
            raise kind("not now")
        return "answer"

    async def sleep(_: float) -> None:
        pass

    if calls > fails:
        assert asyncio.run(past_restart(call, sleep=sleep)) == "answer"
    else:
        with pytest.raises(kind):
            asyncio.run(past_restart(call, sleep=sleep))
    assert made == calls
