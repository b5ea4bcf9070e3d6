"""Streaming: what `extract` and `moderate` share.

They find inputs, show results and return an exit code; the commands say how to ask and how to
show. Knows no verb of the API.
"""

import os
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, BinaryIO, Generic, Protocol, TypeVar

import typer
from pydantic import BaseModel
from rich.console import Console

from cli import progress, stream, target, terminal, texts
from cli.answering import answer_each
from cli.failures import Exit, WrongUse, say
from cli.options import Layout, StreamOptions, TargetOptions
from cli.records import Records
from cli.stream import CALL_CHARACTERS, Pace, Sink, Tally
from cli.texts import Bad, Input, Source, Text
from cli.views import complain_of
from wraner.client.asynchronous import AsyncClient
from wraner.client.replies import Versions

Result = TypeVar("Result", bound=BaseModel)
Answered = TypeVar("Answered", bound=BaseModel, covariant=True)

Texts = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="TEXT", help="Left out: from --file, or standard input.", show_default=False
    ),
]
"""The texts that are given as arguments."""


class Reply(Protocol[Answered]):
    """What a call is answered."""

    @property
    def results(self) -> Sequence[Answered]:
        """One result a text."""
        ...

    @property
    def versions(self) -> Versions:
        """What answered."""
        ...


@dataclass(frozen=True)
class Verb(Generic[Result]):
    """What a command does with texts.

    `find` fails where the pack is not stored, which is told before any text is read. `view` shows
    results to people, `records` as JSON lines. `characters` bounds a call, see `Pace`.
    """

    find: Callable[[AsyncClient], Awaitable[object]]
    ask: Callable[[AsyncClient, Sequence[str]], Awaitable[Reply[Result]]]
    view: Callable[[Console], Sink[Result]]
    records: Callable[[BinaryIO], Sink[Result]] = Records
    characters: int = CALL_CHARACTERS


@dataclass(frozen=True)
class Asked:
    """What a command is asked: texts given as arguments, its options, and which wraner answers."""

    arguments: Sequence[str]
    options: StreamOptions
    where: TargetOptions


class Shown(Generic[Result]):
    """Passes results on to a view or to records, counts them and complains of what is refused."""

    def __init__(self, sink: Sink[Result], count: Callable[[int], None]) -> None:
        self._sink = sink
        self._count = count

    def write(self, text: Text, result: Result) -> None:
        """Show a result."""
        self._sink.write(text, result)
        self._count(1)

    def refuse(self, bad: Bad) -> None:
        """Show and say that an input was refused."""
        complain_of(bad)
        self._sink.refuse(bad)
        self._count(1)


@dataclass(frozen=True)
class Given:
    """Inputs, read once the pack is found; `total` counts them then, None: nobody knows."""

    read: Callable[[], Iterator[Input]]
    total: Callable[[], int | None]


def answer_all(asked: Asked, verb: Verb[Result]) -> Exit:
    """Ask about every input and show every result.

    Raises:
        WrongUse: there is no input, or two kinds of it, or a field is named of what has none.
        Stopped: the stream ended early.
    """
    options, sources = asked.options, _sources(asked)
    read = partial(texts.read, sources, field=options.jsonl_field, skip=options.skip)
    return answer_given(
        Given(read, partial(_total, asked)), verb, options=options, where=asked.where
    )


def answer_given(
    given: Given, verb: Verb[Result], *, options: StreamOptions, where: TargetOptions
) -> Exit:
    """Ask about what is given and show every result; of the options, those about output count.

    Raises:
        Stopped: the stream ended early.
    """
    as_view = terminal.layout(options.format) is Layout.VIEW
    sink = verb.view(terminal.out()) if as_view else verb.records(terminal.lines_out())
    watch = Watch()

    async def work(client: AsyncClient) -> Tally:
        async def call(batch: Sequence[str]) -> Sequence[Result]:
            ask = partial(verb.ask, client, batch)
            reply = await (ask() if where.local else target.past_restart(ask))
            watch.see(reply.versions)
            return reply.results

        await verb.find(client)
        with progress.counting("texts", given.total(), shown=not sys.stdout.isatty()) as count:
            return await stream.run(
                given.read(),
                lambda batch: answer_each(batch, call),
                Shown(sink, count),
                pace=Pace(characters=verb.characters, calls=options.calls, strict=options.strict),
                skip=options.skip,
            )

    tally = target.ask_long(where, work)
    return Exit.REFUSED if tally.refused else Exit.OK


class Watch:
    """Notices when what answers changes in the middle of a stream, and says so."""

    def __init__(self) -> None:
        self._seen: Versions | None = None

    def see(self, versions: Versions) -> None:
        """Compare with what answered before."""
        if self._seen is not None and versions != self._seen:
            before, now = self._seen.model_dump(), versions.model_dump()
            changed = [part for part in now if now[part] != before.get(part)]
            say(f"another version answers from about here on; what changed: {', '.join(changed)}")
        self._seen = versions


def _sources(asked: Asked) -> list[Source]:
    sources, named = _opened(asked), asked.options.jsonl_field
    if named != StreamOptions.jsonl_field and not any(source.jsonl for source in sources):
        raise WrongUse(
            f"expected JSON lines where --jsonl-field {named!r} says what holds the text, was: "
            f"plain texts; add --jsonl"
        )
    return sources


def _opened(asked: Asked) -> list[Source]:
    options = asked.options
    if asked.arguments and options.file:
        raise WrongUse("expected texts either as arguments or in files, was: both")
    if asked.arguments:
        return [texts.from_arguments(asked.arguments, jsonl=options.jsonl)]
    if options.file:
        return [texts.from_file(path, jsonl=options.jsonl) for path in options.file]
    return [Source(texts.lines_of(_standard_input, "standard input"), jsonl=options.jsonl)]


def _total(asked: Asked) -> int | None:
    total = len(asked.arguments) or progress.lines_in(asked.options.file)
    return None if total is None else max(0, total - asked.options.skip)


def _standard_input() -> BinaryIO:
    if sys.stdin is None:
        raise WrongUse("expected texts as arguments, with --file or on standard input, was: none")
    if sys.stdin.isatty():
        say("reading texts from the terminal, one a line; Ctrl-D ends")
    try:
        # An own handle: the reading thread may still wait on it when the process ends.
        return os.fdopen(os.dup(sys.stdin.fileno()), "rb")
    except (OSError, ValueError):  # standard input is no real file
        return sys.stdin.buffer
