"""`wraner moderate`: texts judged against written policies."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.choices import Offered, choose
from cli.completion import complete_name
from cli.failures import Exit
from cli.named import check_named
from cli.options import Exhaustive, StreamOptions, TargetOptions, Threshold, names_of
from cli.shelf import shelf
from cli.stream import JUDGED_CHARACTERS
from cli.streaming import Asked, Texts, Verb, answer_all
from cli.views import VerdictView
from wraner.client.asynchronous import AsyncClient
from wraner.client.replies import Verdicts
from wraner.packs import PolicySet
from wraner.registry import Kind


class FailOn(StrEnum):
    """From which decision on the command fails."""

    NEVER = "never"
    REVIEW = "review"
    VIOLATES = "violates"


_FAILING = {
    FailOn.NEVER: frozenset[str](),
    FailOn.REVIEW: frozenset({"review", "violates"}),
    FailOn.VIOLATES: frozenset({"violates"}),
}


@dataclass(frozen=True)
class ModerateOptions:
    """What to judge."""

    pack: Annotated[
        Path | None,
        typer.Option("--pack", metavar="FOLDER", help="Send this pack along; give no POLICY_SET."),
    ] = None
    policies: Annotated[
        str | None,
        typer.Option("--policies", metavar="A,B", help="Judge these, without a shortlist."),
    ] = None
    exhaustive: Exhaustive = False
    threshold: Threshold = None
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="Exit with 10 when a text is so decided, or worse.")
    ] = FailOn.NEVER


PolicySetName = Annotated[
    str | None,
    typer.Argument(
        metavar="POLICY_SET",
        help="A stored policy set; left out with --pack.",
        autocompletion=complete_name,
        show_default=False,
    ),
]


def moderate(
    what: ModerateOptions,
    source: StreamOptions,
    where: TargetOptions,
    policy_set: PolicySetName = None,
    text: Texts = None,
) -> int:
    """Judge texts against written policies.

    wraner moderate hate-speech "Zorvians must leave this town."

    wraner moderate hate-speech --file comments.txt --fail-on violates
    """
    choice, given = choose(policy_set, text or [], Offered(what.pack, PolicySet))
    wanted = names_of("--policies", what.policies)
    decided: set[str] = set()

    async def find(client: AsyncClient) -> None:
        await check_named(shelf(client, Kind.POLICY_SET), choice.name)

    async def ask(client: AsyncClient, texts: Sequence[str]) -> Verdicts:
        reply = await client.moderate(
            texts,
            policy_set=choice.name,
            inline=choice.inline,
            policies=wanted,
            exhaustive=what.exhaustive,
            threshold=what.threshold,
        )
        decided.update(result.decision for result in reply.results)
        return reply

    verb = Verb(find, ask, VerdictView, characters=JUDGED_CHARACTERS)
    finished = answer_all(Asked(given, source, where), verb)
    return Exit.DECIDED if decided & _FAILING[what.fail_on] else finished
