"""The target: a server that is waited for is waited for aloud."""

import asyncio

import pytest

from cli.target import Waiting, past_restart
from wraner.client.problems import ApiError, NotWraner, Unreachable
from wraner.client.replies import Problem


def refusal(status: int) -> ApiError:
    problem = Problem(
        type="about:blank", title="No", status=status, detail="no", pointer="", request_id="r"
    )
    return ApiError(problem)


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
    ("error", "fails", "calls"),
    [
        (Unreachable("not now"), 3, 4),
        (Unreachable("not now"), 99, 9),
        (refusal(429), 3, 4),
        (refusal(503), 3, 4),
        (refusal(500), 1, 1),
        (NotWraner("not now"), 1, 1),
        (NotWraner("not now", status=404), 1, 1),
        (NotWraner("not now", status=502), 3, 4),
        (NotWraner("not now", status=500), 3, 4),
        (NotWraner("not now", status=503), 3, 4),
        (NotWraner("not now", status=504), 1, 1),
    ],
)
def test_a_server_that_restarts_or_is_full_is_waited_for(
    error: Exception, fails: int, calls: int
) -> None:
    made = 0

    async def call() -> str:
        nonlocal made
        made += 1
        if made <= fails:
            raise error
        return "answer"

    async def sleep(_: float) -> None:
        pass

    if calls > fails:
        assert asyncio.run(past_restart(call, sleep=sleep)) == "answer"
    else:
        with pytest.raises(type(error)):
            asyncio.run(past_restart(call, sleep=sleep))
    assert made == calls
