"""The target: which wraner a command talks to, a server or this process.

Either way a command holds an `AsyncClient`, so answers, messages and exit codes are the same.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from cli.options import TargetOptions
from wraner.client.asynchronous import AsyncClient
from wraner.client.retries import Retry

Result = TypeVar("Result")


# A server that restarts is back after some 15 seconds; long work is worth waiting for it.
_PATIENT = Retry(attempts=8, longest_wait_s=60.0)
# Above the server's own limit (WRANER_REQUEST_TIMEOUT_S), so that its message comes through.
_SILENCE_S = 180.0
_HEALTH_S = 10.0


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
        async with AsyncClient(options.server, retry=retry, timeout_s=_SILENCE_S) as client:
            yield client


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
