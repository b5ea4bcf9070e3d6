"""Answering: texts -> one result or refusal each, over calls that are refused whole.

The server refuses a call for one text's sake; here the rest is asked again without it. A call that
is late is asked again in parts, which is said, since minutes have gone by then. What is no text's
fault goes to the caller. Knows nothing of where texts come from.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from cli.failures import say
from wraner.client.problems import ApiError, Invalid, NotWraner, TooSlow
from wraner.errors import WranerError

Result = TypeVar("Result")
Call = Callable[[Sequence[str]], Awaitable[Sequence[Result]]]

_ONE_TEXT = re.compile(r"/text/(\d+)")


@dataclass(frozen=True, slots=True)
class Refused:
    """Why the server refused a text."""

    error: str


async def answer_each(texts: Sequence[str], call: Call[Result]) -> list[Result | Refused]:
    """Return what `call` answers to each text, or why it refused it.

    A text that takes too long by itself, twice, is refused as one that is too large.

    Raises:
        ApiError: a refusal that is not about one of the texts.
        NotWraner: another program answers, and not that the time was up.
    """
    if not texts:
        return []
    try:
        return list(await call(texts))
    except (Invalid, TooSlow, NotWraner) as error:
        if _is_late(error):
            return await _in_parts(texts, call)
        if not isinstance(error, Invalid):
            raise
        if (at := _refused(error)) is not None and at < len(texts):
            before = await answer_each(texts[:at], call)
            after = await answer_each(texts[at + 1 :], call)
            return [*before, Refused(error.detail), *after]
        if len(texts) == 1 and error.is_too_large:
            return [Refused(error.detail)]
        if len(texts) == 1 or not _is_size(error):
            raise
        return await _halved(texts, call)


async def _in_parts(texts: Sequence[str], call: Call[Result]) -> list[Result | Refused]:
    """Ask again about texts that were not answered in time."""
    if len(texts) == 1:
        say("a text was not answered in time; asking about it once more")
        return [await _once_more(texts, call)]
    say(f"{len(texts)} texts were not answered in time; asking about half of them at a time")
    return await _halved(texts, call)


async def _halved(texts: Sequence[str], call: Call[Result]) -> list[Result | Refused]:
    half = len(texts) // 2
    return [*await answer_each(texts[:half], call), *await answer_each(texts[half:], call)]


async def _once_more(texts: Sequence[str], call: Call[Result]) -> Result | Refused:
    """Ask about one text again, which may have been late for what others asked."""
    try:
        (answered,) = await call(texts)
    except (TooSlow, NotWraner) as error:
        if not _is_late(error):
            raise
        return Refused(error.detail if isinstance(error, TooSlow) else str(error))
    return answered


def _is_late(error: WranerError) -> bool:
    """Return whether the time was up, as the server says or, where it is shorter, a proxy."""
    return isinstance(error, TooSlow) or (isinstance(error, NotWraner) and error.status == 504)


def _refused(error: ApiError) -> int | None:
    found = _ONE_TEXT.fullmatch(error.pointer)
    return int(found[1]) if found else None


def _is_size(error: ApiError) -> bool:
    """Return whether fewer texts a call may be answered where these were not."""
    return error.is_too_large or error.pointer == "/text"
