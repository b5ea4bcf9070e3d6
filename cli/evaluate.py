"""`wraner evaluate`: what answers are worth, measured in this process on tagged texts."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli.answerer import Answerer
from cli.evaluate_moderation import evaluate_moderation
from cli.failures import Exit, WrongUse
from cli.options import listed
from cli.report_options import ReportOptions
from cli.signatures import flat
from training.ner_domains import NerDomain, Split, read_domain
from training.sheets import Sheet, read_sheet, shipped_sheet


@dataclass(frozen=True)
class AskedOptions:
    """What is asked about."""

    data: Annotated[
        Path,
        typer.Option(
            "--data",
            exists=True,
            file_okay=False,
            metavar="FOLDER",
            help="Holds a folder for each domain, with train, dev and test.",
        ),
    ]
    domains: Annotated[
        str, typer.Option("--domains", metavar="A,B", help="Which of the data's folders.")
    ]
    split: Annotated[
        Split, typer.Option("--split", help="dev for choosing; test once all is chosen.")
    ] = Split.DEV
    texts: Annotated[
        int | None,
        typer.Option(
            "--texts",
            min=1,
            metavar="N",
            help="Ask about a sample of each domain; left out: about all.",
        ),
    ] = None
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Draws another sample.")] = 0
    sheets: Annotated[
        Path | None,
        typer.Option(
            "--sheets",
            exists=True,
            file_okay=False,
            metavar="FOLDER",
            help="Holds DOMAIN.yaml for each domain; left out: the sheets that ship.",
        ),
    ] = None

    def names(self) -> tuple[str, ...]:
        """Return the domains' names.

        Raises:
            WrongUse: none is given, or one twice, or one that is no folder's name.
        """
        names = listed(self.domains) or ()
        if not names or len(set(names)) < len(names):
            raise WrongUse(f"expected --domains A,B, each once, was: {self.domains!r}")
        for name in names:
            if Path(name).name != name or not (self.data / name).is_dir():
                there = ", ".join(sorted(p.name for p in self.data.iterdir() if p.is_dir()))
                raise WrongUse(f"expected folders in {self.data} ({there}), was: {name!r}")
        return names

    def sheet(self, name: str) -> Sheet:
        """Return a domain's sheet."""
        return read_sheet(self.sheets / f"{name}.yaml") if self.sheets else shipped_sheet(name)

    def read(self, name: str) -> NerDomain:
        """Return a domain with the sentences to ask about."""
        domain = read_domain(self.data / name, self.sheet(name), self.split)
        return domain if self.texts is None else domain.sample(self.texts, seed=self.seed)


@dataclass(frozen=True)
class HowOptions:
    """How it is asked."""

    k: Annotated[
        int, typer.Option("--k", min=0, max=64, metavar="N", help="Examples retrieved a text.")
    ] = 5
    adapter: Annotated[
        str | None,
        typer.Option(
            "--adapter",
            metavar="HASH|none",
            help="Extract with this adapter, or with none; left out: with the one that serves.",
            show_default=False,
        ),
    ] = None
    by: Annotated[
        Answerer,
        typer.Option(
            "--by",
            help="Who answers: served (the model with the votes, or as WRANER_VOTES_ALONE says), "
            "model (alone), votes (alone).",
        ),
    ] = Answerer.SERVED


def evaluate_commands() -> typer.Typer:
    """Return the group of commands."""
    commands = typer.Typer(
        help="Measure what answers are worth, on texts whose tags are known.", no_args_is_help=True
    )

    commands.command("ner")(flat(evaluate_ner))
    commands.command("moderation")(flat(evaluate_moderation))
    return commands


def evaluate_ner(asked: AskedOptions, how: HowOptions, report: ReportOptions) -> int:
    """Measure entity extraction by strict span F1, with a report.

    wraner evaluate ner --data ../shared/data/crossner --domains politics,music --texts 50
    """
    report.check()
    domains = [asked.read(name) for name in asked.names()]

    from cli.evaluation import Plan, carry_out  # loads the pipeline

    plan = Plan(tuple(domains), how.k, how.adapter, how.by, report.out, _command(asked, how))
    return Exit.REFUSED if carry_out(plan).impossible else Exit.OK


def _command(asked: AskedOptions, how: HowOptions) -> str:
    """Return the command line that measures the same again."""
    options = {
        "--data": str(asked.data),
        "--domains": asked.domains,
        "--split": str(asked.split),
        "--texts": asked.texts,
        "--seed": asked.seed if asked.texts is not None else None,
        "--sheets": asked.sheets,
        "--k": how.k,
        "--adapter": how.adapter,
        "--by": None if how.by is Answerer.SERVED else str(how.by),
    }
    given = [str(word) for o, value in options.items() if value is not None for word in (o, value)]
    return shlex.join(["wraner", "evaluate", "ner", *given])
