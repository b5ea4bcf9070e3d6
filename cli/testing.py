"""Testing: what the tests of policy sets and of domains share.

Texts of a file are asked about as `moderate` and `extract` ask, and what is said of each is put
beside its label, kept, and shown where it is wanted. Knows neither kind of pack and no figure.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from pydantic import BaseModel
from rich.console import Console

from cli import terminal
from cli.asked_texts import AskedTexts, E
from cli.choices import Choice, P, choice_of, read_choice
from cli.failures import Exit, Stopped, say
from cli.options import Layout, StreamOptions, TargetOptions
from cli.records import Records
from cli.stream import CALL_CHARACTERS
from cli.streaming import Given, Reply, Verb, answer_given
from cli.texts import Bad, Text
from wraner.client.asynchronous import AsyncClient


class Beside(Protocol):
    """A labelled text with what was said of it."""

    @property
    def right(self) -> bool:
        """Whether nothing is wrong with what was said."""
        ...

    def record(self) -> dict[str, Any]:
        """Return it for a line of JSON."""
        ...


R = TypeVar("R", bound=BaseModel)
B = TypeVar("B", bound=Beside)
Showable = TypeVar("Showable", contravariant=True)


class View(Protocol[Showable]):
    """Shows labelled texts to people, one by one."""

    def show(self, one: Showable) -> None:
        """Show a text with what was said of it."""
        ...


class Subject(Generic[P, E]):
    """A pack, and the texts of a file that it is tested on, once both are read."""

    def __init__(self, given: str, model: type[P], read: Callable[[P], AskedTexts[E]]) -> None:
        """Read a folder. Raises WrongUse and InvalidInput as `choice_of` does."""
        self.choice: Choice[P] = choice_of(given, model)
        self._model: type[P] = model
        self._read: Callable[[P], AskedTexts[E]] = read
        self._found: tuple[P, AskedTexts[E]] | None = None

    async def find(self, client: AsyncClient) -> None:
        """Read the pack and then the texts, of which those that are left out are named."""
        pack = await read_choice(client, self.choice, self._model)
        self._found = pack, self._read(pack)
        for left_out in self._found[1].left_out:
            say(str(left_out))

    @property
    def pack(self) -> P:
        """The pack."""
        assert self._found is not None
        return self._found[0]

    @property
    def asked(self) -> AskedTexts[E]:
        """The texts."""
        assert self._found is not None
        return self._found[1]


@dataclass(frozen=True)
class Trial(Generic[P, E, R, B]):
    """How a pack is tested; see `Verb` for `ask` and `characters`.

    `beside` puts what is said of a line's text beside its label; `view` shows that to people.
    """

    subject: Subject[P, E]
    ask: Callable[[AsyncClient, Sequence[str]], Awaitable[Reply[R]]]
    beside: Callable[[int, E, R], B]
    view: Callable[[Console], View[B]]
    characters: int = CALL_CHARACTERS


@dataclass
class Measured(Generic[B]):
    """All texts that were answered, how many were refused, and how the command ends."""

    texts: list[B] = field(default_factory=list)
    refused: int = 0
    finished: Exit = Exit.OK


def measure(
    trial: Trial[P, E, R, B], layout: Layout, where: TargetOptions, *, failures: bool
) -> Measured[B]:
    """Ask about all texts and show them, an empty line behind them for people.

    Of all texts people are shown none, with `failures` those alone that have something wrong.

    Raises what `Subject.find` does, and what ended the asking early: figures are about all texts.
    """
    subject, sink = trial.subject, _Sink(trial, layout, failures=failures)
    verb = Verb(
        subject.find,
        trial.ask,
        view=lambda _: sink,
        records=lambda _: sink,
        characters=trial.characters,
    )
    given = Given(lambda: iter(subject.asked.texts()), lambda: len(subject.asked.examples))
    options = StreamOptions(format=layout)
    try:
        sink.measured.finished = answer_given(given, verb, options=options, where=where)
    except Stopped as stopped:  # there is no going on
        raise stopped.cause from None
    if sink.shown and layout is Layout.VIEW:
        terminal.out().print()
    return sink.measured


class _Sink(Generic[P, E, R, B]):
    """Puts answers beside their labels, keeps them and passes them on; a `stream.Sink`."""

    def __init__(self, trial: Trial[P, E, R, B], layout: Layout, *, failures: bool) -> None:
        self._trial: Trial[P, E, R, B] = trial
        self._failures = failures
        self._records = Records(terminal.lines_out()) if layout is Layout.JSONL else None
        self._view = trial.view(terminal.out())
        self.measured = Measured[B]()
        self.shown = 0

    def write(self, text: Text, result: R) -> None:
        """Keep an answer, and show it where it is wanted."""
        line = text.place.line
        one = self._trial.beside(line, self._trial.subject.asked.examples[line], result)
        self.measured.texts.append(one)
        wanted = not one.right if self._failures else self._records is not None
        if not wanted:
            return
        self.shown += 1
        if self._records is None:
            self._view.show(one)
        else:
            self._records.put(one.record())

    def refuse(self, bad: Bad) -> None:
        """Count a refused text; standard error has it, and records too."""
        self.measured.refused += 1
        if self._records is not None:
            self._records.refuse(bad)
