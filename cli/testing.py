"""Testing: what the tests of policy sets and of domains share.

Texts of a file are asked about as `moderate` and `extract` ask, and what is said of each is put
beside its label, kept, and shown where it is wanted. Knows neither kind of pack and no figure.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

from cli import terminal
from cli.asked_texts import AskedTexts, E
from cli.choices import Choice, P, choice_of, read_choice
from cli.failures import Exit, Stopped, say
from cli.options import Layout, StreamOptions, TargetOptions
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


R = TypeVar("R", bound=BaseModel)
B = TypeVar("B", bound=Beside)
Showable = TypeVar("Showable", contravariant=True)


class Display(Protocol[Showable]):
    """Shows labelled texts one by one."""

    def show(self, one: Showable) -> None:
        """Show a text with what was said of it."""
        ...

    def refuse(self, bad: Bad) -> None:
        """Show that a text was refused."""
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
class Trial(Generic[R, B]):
    """How a pack is tested; see `Verb` for `find`, `ask` and `characters`.

    `texts` are there once `find` is done; `beside` puts what is said of a line's text beside its
    label.
    """

    find: Callable[[AsyncClient], Awaitable[object]]
    texts: Callable[[], Sequence[Text]]
    ask: Callable[[AsyncClient, Sequence[str]], Awaitable[Reply[R]]]
    beside: Callable[[int, R], B]
    characters: int = CALL_CHARACTERS


@dataclass(frozen=True)
class Showing(Generic[B]):
    """How texts are shown, and whether only those with something wrong."""

    layout: Layout
    display: Display[B]
    failures: bool

    def wants(self, one: B) -> bool:
        """Return whether a text is shown: a failure where these are asked for, else any record."""
        return not one.right if self.failures else self.layout is Layout.JSONL


@dataclass
class Measured(Generic[B]):
    """All texts that were answered, how many were refused, and how the command ends."""

    texts: list[B] = field(default_factory=list)
    refused: int = 0
    finished: Exit = Exit.OK


def measure(trial: Trial[R, B], showing: Showing[B], where: TargetOptions) -> Measured[B]:
    """Ask about all texts and show those that are wanted, an empty line behind them for people.

    Raises what `trial.find` does, and what ended the asking early: figures are about all texts.
    """
    sink = _Sink(trial, showing)
    verb = Verb(
        trial.find,
        trial.ask,
        view=lambda _: sink,
        records=lambda _: sink,
        characters=trial.characters,
    )
    given = Given(lambda: iter(trial.texts()), lambda: len(trial.texts()))
    options = StreamOptions(format=showing.layout)
    try:
        sink.measured.finished = answer_given(given, verb, options=options, where=where)
    except Stopped as stopped:  # there is no going on
        raise stopped.cause from None
    if sink.shown and showing.layout is Layout.VIEW:
        terminal.out().print()
    return sink.measured


class _Sink(Generic[R, B]):
    """Puts answers beside their labels, keeps them and passes them on; a `stream.Sink`."""

    def __init__(self, trial: Trial[R, B], showing: Showing[B]) -> None:
        self._beside, self._showing = trial.beside, showing
        self.measured = Measured[B]()
        self.shown = 0

    def write(self, text: Text, result: R) -> None:
        """Keep an answer, and show it where it is wanted."""
        one = self._beside(text.place.line, result)
        self.measured.texts.append(one)
        if self._showing.wants(one):
            self.shown += 1
            self._showing.display.show(one)

    def refuse(self, bad: Bad) -> None:
        """Count a refused text and show it."""
        self.measured.refused += 1
        self._showing.display.refuse(bad)
