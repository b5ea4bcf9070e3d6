"""`wraner extract`: the entities of a domain in texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli import terminal
from cli.choices import Offered, choose
from cli.completion import complete_name
from cli.failures import WrongUse
from cli.marked_lines import MarkedLines
from cli.named import check_named
from cli.options import MinScore, Retrieved, StreamOptions, TargetOptions, names_of
from cli.shelf import shelf
from cli.streaming import Asked, Texts, Verb, answer_all
from cli.views import ExtractionView
from wraner.client.asynchronous import AsyncClient
from wraner.client.replies import Extractions
from wraner.packs import Domain
from wraner.registry import Kind


@dataclass(frozen=True)
class ExtractOptions:
    """What to extract."""

    pack: Annotated[
        Path | None,
        typer.Option("--pack", metavar="FOLDER", help="Send this pack along; give no DOMAIN."),
    ] = None
    types: Annotated[
        str | None, typer.Option("--types", metavar="A,B", help="Only these entity types.")
    ] = None
    k: Retrieved = None
    min_score: MinScore = 0.0
    marked: Annotated[
        bool,
        typer.Option(
            "--marked",
            help="Write the texts with their entities marked, to correct and then `wraner import`.",
        ),
    ] = False


DomainName = Annotated[
    str | None,
    typer.Argument(
        metavar="DOMAIN",
        help="A stored domain; left out with --pack.",
        autocompletion=complete_name,
        show_default=False,
    ),
]


def extract(
    what: ExtractOptions,
    source: StreamOptions,
    where: TargetOptions,
    domain: DomainName = None,
    text: Texts = None,
) -> int:
    """Find the entities of a domain in texts.

    wraner extract customer-care "Order WX-310442 never came."

    wraner extract customer-care < mails.txt > found.jsonl

    wraner extract customer-care --marked < mails.txt > to-correct.txt
    """
    if what.marked and source.format is not None:
        raise WrongUse("expected one of --marked and --format, was: both")
    choice, given = choose(domain, text or [], Offered(what.pack, Domain))
    wanted = names_of("--types", what.types)

    async def find(client: AsyncClient) -> None:
        await check_named(shelf(client, Kind.DOMAIN), choice.name)

    async def ask(client: AsyncClient, texts: Sequence[str]) -> Extractions:
        return await client.extract(
            texts,
            domain=choice.name,
            inline=choice.inline,
            entity_types=wanted,
            k=what.k,
            min_score=what.min_score,
        )

    verb = Verb(find, ask, ExtractionView)
    if what.marked:
        verb = Verb(find, ask, lambda _: MarkedLines(terminal.lines_out()), MarkedLines)
    return answer_all(Asked(given, source, where), verb)
