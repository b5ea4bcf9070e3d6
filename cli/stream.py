"""Stream: any number of inputs, a few calls in flight, results written in the inputs' order.

Memory is flat: what is read ahead and what waits to be written are bounded. Whatever ends the
stream early, all results before that place are written first. Knows no server and no format.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from cli.answering import Refused
from cli.failures import Stopped
from cli.lookahead import Lookahead
from cli.texts import Bad, Input, Text
from wraner.errors import InvalidInput

Result = TypeVar("Result")
Written = TypeVar("Written", contravariant=True)
Answer = Callable[[Sequence[str]], Awaitable[Sequence[Result | Refused]]]


CALL_CHARACTERS = 20_000
"""Code points of one call's texts, where nothing else bounds them."""
JUDGED_CHARACTERS = 3_000
"""The same where texts are judged: by windows of 160 words, of which each takes many prompts."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How much is asked at once."""

    texts: int = 16
    """Texts of one call at most."""
    characters: int = CALL_CHARACTERS
    """Code points of one call's texts together; a longer text goes alone."""
    calls: int = 2
    """Calls in flight."""
    strict: bool = False
    """Whether the first input that is refused ends the stream."""


class Sink(Protocol[Written]):
    """Takes results in the inputs' order."""

    def write(self, text: Text, result: Written) -> None:
        """Show a result."""
        ...

    def refuse(self, bad: Bad) -> None:
        """Show that an input was refused."""
        ...


@dataclass
class Tally:
    """How far a stream has come; `line` is the last one written, over all inputs."""

    line: int = 0
    answered: int = 0
    refused: int = 0


async def run(
    inputs: Iterator[Input], answer: Answer[Result], sink: Sink[Result], *, pace: Pace, skip: int
) -> Tally:
    """Answer all inputs and write the results; `skip` lines are counted as written before.

    Raises:
        Stopped: the stream ended early, for the reason that it names.
        BrokenPipeError: nobody reads what is written any more.
    """
    tally = Tally(line=skip)
    flight = _Flight(answer, pace)
    try:
        async with aclosing(flight.landed(inputs)) as landed:
            async for batch, results in landed:
                _write(batch, results, sink, tally, strict=pace.strict)
    except asyncio.CancelledError:
        raise Stopped(KeyboardInterrupt(), line=tally.line, done=tally.answered) from None
    except BrokenPipeError:
        raise
    except Exception as error:
        raise Stopped(error, line=tally.line, done=tally.answered) from error
    return tally


class _Flight(Generic[Result]):
    """Batches on their way to the server and back."""

    def __init__(self, answer: Answer[Result], pace: Pace) -> None:
        self._answer = answer
        self._pace = pace

    async def landed(self, inputs: Iterator[Input]) -> AsyncGenerator["Landed[Result]", None]:
        """Yield batches with what became of their texts, in order."""
        lookahead = Lookahead(inputs, ahead=2 * self._pace.calls * self._pace.texts)
        # Calls that are done behind one that is not wait here; the bound keeps memory flat.
        waiting: asyncio.Queue[asyncio.Task[Landed[Result]] | None] = asyncio.Queue(
            2 * self._pace.calls
        )
        running: set[asyncio.Task[Landed[Result]]] = set()
        feeder = asyncio.create_task(self._feed(lookahead, waiting, running))
        try:
            while (task := await waiting.get()) is not None:
                yield await task
            await feeder
        finally:
            lookahead.close()
            for left in (feeder, *running):
                left.cancel()
            await asyncio.gather(feeder, *running, return_exceptions=True)

    async def _feed(
        self,
        lookahead: Lookahead[Input],
        waiting: "asyncio.Queue[asyncio.Task[Landed[Result]] | None]",
        running: "set[asyncio.Task[Landed[Result]]]",
    ) -> None:
        slots = asyncio.Semaphore(self._pace.calls)

        def landed(task: "asyncio.Task[Landed[Result]]") -> None:
            running.discard(task)
            slots.release()
            if not task.cancelled():
                task.exception()  # seen; of several that fail, the first in order is raised

        try:
            await slots.acquire()
            while batch := await self._batch(lookahead):
                task = asyncio.create_task(self._fly(batch))
                running.add(task)
                task.add_done_callback(landed)
                await waiting.put(task)
                await slots.acquire()
        except Exception:
            await waiting.put(None)
            raise
        await waiting.put(None)

    async def _batch(self, lookahead: Lookahead[Input]) -> list[Input]:
        """Return what is there already, at least one input; [] at the end."""
        first = await lookahead.first()
        if first is None:
            return []
        batch = [first]
        room = self._pace.characters - _characters(first)
        while len(batch) < self._pace.texts and (following := lookahead.peek()) is not None:
            room -= _characters(following)
            if room < 0:
                break
            batch.append(lookahead.take())
        return batch

    async def _fly(self, batch: Sequence[Input]) -> "Landed[Result]":
        texts = [one.text for one in batch if isinstance(one, Text)]
        return batch, await self._answer(texts) if texts else ()


Landed = tuple[Sequence[Input], Sequence[Result | Refused]]


def _write(
    batch: Sequence[Input],
    results: Sequence[Result | Refused],
    sink: Sink[Result],
    tally: Tally,
    *,
    strict: bool,
) -> None:
    left = iter(results)
    for one in batch:
        result = next(left) if isinstance(one, Text) else Refused(one.error)
        if isinstance(one, Text) and not isinstance(result, Refused):
            sink.write(one, result)
            tally.answered += 1
        else:
            assert isinstance(result, Refused)
            sink.refuse(Bad(one.place, result.error, one.fields))
            tally.refused += 1
        tally.line = one.place.number
        if strict and tally.refused:
            raise InvalidInput(f"{one.place} was refused, and --strict stops at the first")


def _characters(one: Input) -> int:
    return len(one.text) if isinstance(one, Text) else 0
