"""The target: a server that is waited for is waited for aloud."""

import asyncio

import pytest

from cli.target import Waiting, past_restart
from wraner.client.problems import NotWraner


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


LOADING = (
    "was: 404 text/plain, which begins \"Path '/' not found. Ping /-/routes for available routes.\""
)


@pytest.mark.parametrize(
    ("said", "loads", "calls"), [(LOADING, 3, 4), (LOADING, 99, 9), ("was: nginx", 1, 1)]
)
def test_a_server_that_loads_after_a_restart_is_not_taken_for_another(
    said: str, loads: int, calls: int
) -> None:
    made = 0

    async def call() -> str:
        nonlocal made
        made += 1
        if made <= loads:
            raise NotWraner(said)
        return "answer"

    async def sleep(_: float) -> None:
        pass

    if calls > loads:
        assert asyncio.run(past_restart(call, sleep=sleep)) == "answer"
    else:
        with pytest.raises(NotWraner):
            asyncio.run(past_restart(call, sleep=sleep))
    assert made == calls
