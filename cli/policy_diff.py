"""`wraner policies diff`: which verdicts would flip if one policy set took another's place.

Both sets judge the same texts, in the same calls. Shows flips alone, then how many there are and
what differs between the sets.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import terminal
from cli.choices import Choice, choice_of, read_choice
from cli.completion import complete_name
from cli.failures import Exit, Stopped
from cli.flip_views import FlipView, OnlyFlips, show_summary
from cli.options import StreamOptions, TargetOptions, Threshold
from cli.records import Records
from cli.stream import JUDGED_CHARACTERS
from cli.streaming import Asked, Texts, Verb, answer_all
from wraner.client.asynchronous import AsyncClient
from wraner.client.replies import Verdicts, Versions
from wraner.flips import Comparison, FlipCount
from wraner.packs import PolicySet, version
from wraner.policy_changes import PolicySetChanges, compare


def _side(name: str, words: str) -> Any:
    return typer.Argument(
        metavar=name, help=words, autocompletion=complete_name, show_default=False
    )


@dataclass(frozen=True)
class DiffTexts(StreamOptions):
    """Where texts come from and how flips are shown."""

    file: Annotated[
        list[Path],
        typer.Option(
            "--on",
            "--file",
            "-f",
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Judge a file's texts, one a line; again for more files.",
            rich_help_panel="Input and output",
        ),
    ] = field(default_factory=list)


@dataclass(frozen=True)
class DiffOptions:
    """What is compared, how both sets judge, and when the command fails."""

    old: Annotated[str, _side("OLD", "What judges now: a stored name, or a folder.")]
    new: Annotated[str, _side("NEW", "What would judge: ./NAME is a folder, NAME is stored.")]
    exhaustive: Annotated[
        bool, typer.Option("--exhaustive", help="Judge every policy of both sets.")
    ] = False
    threshold: Threshold = None
    fail_on_flips: Annotated[
        bool, typer.Option("--fail-on-flips", help="Exit with 10 when a decision changes.")
    ] = False


@dataclass(frozen=True, slots=True)
class Comparisons:
    """What both sets say to some texts; implements `cli.streaming.Reply`."""

    results: Sequence[Comparison]
    versions: Versions


def policy_diff(
    what: DiffOptions, source: DiffTexts, where: TargetOptions, text: Texts = None
) -> int:
    """List the verdicts that flip when NEW judges in the place of OLD.

    wraner policies diff hate-speech ./changed --on comments.jsonl --fail-on-flips
    """
    sides, count = Sides(what), FlipCount()
    verb = Verb(
        sides.find,
        sides.ask,
        view=lambda console: OnlyFlips(FlipView(console), count),
        records=lambda out: OnlyFlips(Records(out), count),
        characters=JUDGED_CHARACTERS,
    )
    layout = terminal.layout(source.format)
    try:
        finished = answer_all(Asked(text or [], source, where), verb)
    except Stopped as stopped:
        if stopped.done:
            show_summary(count, sides.changes(), layout)
        raise
    show_summary(count, sides.changes(), layout)
    return Exit.DECIDED if what.fail_on_flips and count.flipped else finished


class Sides:
    """Both policy sets, stored or in folders, and what they are asked."""

    def __init__(self, what: DiffOptions) -> None:
        """Read folders. Raises WrongUse and InvalidInput as `choice_of` does."""
        self._what = what
        self._choices = (choice_of(what.old, PolicySet), choice_of(what.new, PolicySet))
        self._sets: list[PolicySet] = []

    async def find(self, client: AsyncClient) -> None:
        """Read both sets with their examples, so that they can be compared."""
        self._sets = [await read_choice(client, choice, PolicySet) for choice in self._choices]

    async def ask(self, client: AsyncClient, texts: Sequence[str]) -> Comparisons:
        """Let both sets judge texts; where both say the same, one answer stands for both."""
        old = await self._ask(client, self._choices[0], texts)
        one, other = map(version, self._sets)
        alike = one == other  # asked twice, close decisions may tip by chance
        new = old if alike else await self._ask(client, self._choices[1], texts)
        pairs = zip(old.results, new.results, strict=True)
        results = [Comparison(old=before, new=after) for before, after in pairs]
        return Comparisons(results, _joined(old.versions, new.versions))

    async def _ask(
        self, client: AsyncClient, choice: Choice[PolicySet], texts: Sequence[str]
    ) -> Verdicts:
        return await client.moderate(
            texts,
            policy_set=choice.name,
            inline=choice.inline,
            exhaustive=self._what.exhaustive,
            threshold=self._what.threshold,
        )

    def changes(self) -> PolicySetChanges:
        """Return what differs between the sets, once they are read."""
        old, new = self._sets
        return compare(old, new)


def _joined(old: Versions, new: Versions) -> Versions:
    """Return what answered as one, so that a change of either is noticed."""
    before, after = old.model_dump(), new.model_dump()
    same = {part: after[part] for part in after if before[part] == after[part]}
    both = {part: f"{before[part]}, {after[part]}" for part in after if part not in same}
    return Versions(**same, **both)
