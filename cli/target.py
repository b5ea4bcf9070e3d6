"""The target: which wraner a command talks to, a server or this process.

Either way a command holds an `AsyncClient`, so answers, messages and exit codes are the same.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import httpx

from cli.failures import say
from cli.options import TargetOptions
from wraner.client.asynchronous import AsyncClient
from wraner.client.problems import ApiError, NotWraner, Unreachable
from wraner.client.retries import Retry
from wraner.errors import WranerError

Result = TypeVar("Result")


# Of one call; while a server restarts, calls are repeated: long work is worth waiting for it.
# A server that is full may want minutes.
_PATIENT = Retry(attempts=6, longest_wait_s=900.0)
# Above the server's own limit (WRANER_REQUEST_TIMEOUT_S), so that its message comes through.
_SILENCE_S = 180.0
_HEALTH_S = 10.0
# Shorter waits need no word, and longer ones not more than one in a while.
_WORTH_SAYING_S = 2.0
_SAID_EVERY_S = 30.0
_RESTART_ATTEMPTS = 8
RESTART_WAIT_S = 5.0


@asynccontextmanager
async def opened(
    options: TargetOptions,
    *,
    retry: Retry = Retry(),  # noqa: B008  (frozen)
) -> AsyncIterator[AsyncClient]:
    """Yield a client of the target."""
    if options.local:
        from cli.local import local_client

        async with local_client() as client:
            yield client
    else:
        async with AsyncClient(
            options.server, retry=retry, timeout_s=_SILENCE_S, sleep=Waiting()
        ) as client:
            yield client


async def past_restart(
    call: Callable[[], Awaitable[Result]],
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Result:
    """Make a call, nine times at most, while the server restarts or is full.

    Between any two lie some seconds, beside what each call waits by itself: two minutes and more.

    Raises what the last call raised.
    """
    for _ in range(_RESTART_ATTEMPTS):
        try:
            return await call()
        except WranerError as error:
            if not _passes(error):
                raise
        await sleep(RESTART_WAIT_S)
    return await call()


def _passes(error: WranerError) -> bool:
    """Return whether a server that restarts or is full may be why; one that keeps silent is not."""
    if isinstance(error, Unreachable):
        return not isinstance(error.__cause__, httpx.TimeoutException)
    if isinstance(error, NotWraner):  # a proxy's page, or Ray Serve's of a gateway that died
        return error.status in (500, 502, 503)  # not 504: the call took too long, and would again
    return isinstance(error, ApiError) and error.status in (429, 503)


class Waiting:
    """Sleeps between the attempts of calls, and says so, for silence looks like a hang."""

    def __init__(
        self,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sleep = sleep
        self._now_s = now_s
        self._said_s = float("-inf")

    async def __call__(self, wait_s: float) -> None:
        """Sleep."""
        now_s = self._now_s()
        if wait_s >= _WORTH_SAYING_S and now_s - self._said_s >= _SAID_EVERY_S:
            self._said_s = now_s
            say("the server is away or overloaded; waiting for it")
        await self._sleep(wait_s)


def ask(options: TargetOptions, work: Callable[[AsyncClient], Awaitable[Result]]) -> Result:
    """Run a command's work with a client of the target."""

    async def run() -> Result:
        async with opened(options) as client:
            return await work(client)

    return asyncio.run(run())


def ask_long(options: TargetOptions, work: Callable[[AsyncClient], Awaitable[Result]]) -> Result:
    """Run long work: a server that is not there is told at once, one that goes is waited for."""

    async def run() -> Result:
        if not options.local:
            async with AsyncClient(options.server, timeout_s=_HEALTH_S) as client:
                await client.health()
        async with opened(options, retry=_PATIENT) as client:
            return await work(client)

    return asyncio.run(run())
