"""One test of a policy set carried out: texts read and asked about, verdicts counted and shown.

Asks as `wraner moderate` does. Knows neither figures nor how they are shown.
"""

from collections.abc import Callable, Sequence

from cli import terminal
from cli.choices import choice_of, read_choice
from cli.failures import Exit, Stopped, say
from cli.judged import Judged, figures_of
from cli.judged_views import Display, JudgedRecords, JudgedView, Judging, show_figures
from cli.labelled import Labelled, read_labelled
from cli.options import Layout, StreamOptions, TargetOptions
from cli.policy_test import PolicyTestOptions
from cli.records import Records
from cli.stream import JUDGED_CHARACTERS
from cli.streaming import Given, Verb, answer_given
from cli.texts import Text
from wraner.client.asynchronous import AsyncClient
from wraner.client.replies import Verdict, Verdicts


def carry_out(what: PolicyTestOptions, where: TargetOptions) -> Exit:
    """Ask about the texts of a file and show what the verdicts are worth.

    Raises:
        WrongUse: NAME is neither a name nor a folder with a policy set.
        InvalidInput: the file is not labelled, or not for this policy set.
    """
    asking, layout = Asking(what), terminal.layout(what.format)
    judging = Judging(_display(layout), asking.beside, _wanted(what, layout))
    verb = Verb(
        asking.find,
        asking.ask,
        view=lambda _: judging,
        records=lambda _: judging,
        characters=JUDGED_CHARACTERS,
    )
    given = Given(lambda: iter(asking.texts()), lambda: len(asking.texts()))
    try:
        finished = answer_given(given, verb, options=StreamOptions(format=what.format), where=where)
    except Stopped as stopped:  # there is no going on: figures are about all texts
        raise stopped.cause from None
    if judging.shown and layout is Layout.VIEW:
        terminal.out().print()
    show_figures(figures_of(judging.judged), judging.refused, layout)
    return finished


class Asking:
    """The policy set and its labelled texts, once they are read, and how it is asked."""

    def __init__(self, what: PolicyTestOptions) -> None:
        self._what = what
        self._choice = choice_of(what.policy_set)
        self._labelled: Labelled | None = None

    async def find(self, client: AsyncClient) -> None:
        """Read the set and then the texts, of which those that cannot be asked about are named."""
        self._labelled = read_labelled(self._what.file, await read_choice(client, self._choice))
        for words in self._labelled.left_out():
            say(words)

    def texts(self) -> Sequence[Text]:
        """Return the texts to ask about."""
        return self._read().texts()

    def beside(self, line: int, verdict: Verdict) -> Judged:
        """Return the verdict on a line's text beside its label."""
        labelled = self._read()
        return Judged(line, labelled.examples[line], labelled.policies, verdict)

    async def ask(self, client: AsyncClient, texts: Sequence[str]) -> Verdicts:
        """Let the set judge texts."""
        return await client.moderate(
            texts,
            policy_set=self._choice.name,
            inline=self._choice.inline,
            exhaustive=self._what.exhaustive,
            threshold=self._what.threshold,
        )

    def _read(self) -> Labelled:
        assert self._labelled is not None
        return self._labelled


def _display(layout: Layout) -> Display:
    if layout is Layout.VIEW:
        return JudgedView(terminal.out())
    return JudgedRecords(Records(terminal.lines_out()))


def _wanted(what: PolicyTestOptions, layout: Layout) -> Callable[[Judged], bool]:
    """Return what is shown beside the figures: failures where asked for, else every record."""
    if what.failures:
        return lambda judged: judged.fault is not None
    return lambda _: layout is Layout.JSONL
