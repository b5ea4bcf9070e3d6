"""`wraner train --domain NAME`: the options of a retraining on a domain's examples.

A candidate is trained, compared with what serves, stored, and promoted where the evidence suffices.
Loads torch only when it runs.
"""

import shlex
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.completion import complete_name
from cli.failures import Exit, WrongUse
from wraner.errors import InvalidInput

_DOMAIN = "On a domain's examples"


class Tune(StrEnum):
    """What is tuned."""

    WORDS = "words"
    MODEL = "model"


@dataclass(frozen=True)
class DomainOptions:
    """Which domain to train on, and how it is judged."""

    domain: Annotated[
        str,
        typer.Option(
            "--domain",
            metavar="NAME",
            help="Train on a stored domain's examples, from what serves; promote the result if it "
            "is better there and no worse elsewhere, else exit with 1.",
            autocompletion=complete_name,
            show_default=False,
            rich_help_panel=_DOMAIN,
        ),
    ] = ""
    tune: Annotated[
        Tune,
        typer.Option(
            "--tune",
            help="`words`: the word encoder, judged by votes alone; `model`: the language model's "
            "adapter, judged by its own answers.",
            rich_help_panel=_DOMAIN,
        ),
    ] = Tune.WORDS
    pack: Annotated[
        Path | None,
        typer.Option(
            "--pack",
            exists=True,
            file_okay=False,
            metavar="FOLDER",
            help="In place of --domain: a pack folder, with its test.jsonl if it has one.",
            show_default=False,
            rich_help_panel=_DOMAIN,
        ),
    ] = None
    test: Annotated[
        Path | None,
        typer.Option(
            "--test",
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Judge by these tagged sentences (JSON lines, or marked text in a .txt file); "
            "without any: by parts of the examples, each held out of a training of its own.",
            show_default=False,
            rich_help_panel=_DOMAIN,
        ),
    ] = None
    own: Annotated[
        Path | None,
        typer.Option(
            "--config",
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Fields that differ from training/retrain.yaml.",
            show_default=False,
            rich_help_panel=_DOMAIN,
        ),
    ] = None
    no_replay: Annotated[
        bool,
        typer.Option(
            "--no-replay",
            help="Train on the domain alone; elsewhere is then other domains that have tests.",
            rich_help_panel=_DOMAIN,
        ),
    ] = False
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Promote whatever the evidence; recorded.", rich_help_panel=_DOMAIN
        ),
    ] = False

    @property
    def given(self) -> bool:
        """Whether the command line asks for a retraining."""
        return self != DomainOptions()

    def check(self) -> None:
        """Refuse what names no domain, or two.

        Raises:
            WrongUse: it does.
        """
        if bool(self.domain) == (self.pack is not None):
            given = "both" if self.domain else "neither"
            raise WrongUse(f"expected one of --domain NAME and --pack FOLDER, was: {given}")

    def words(self) -> list[str]:
        """Return the options as they stand on a command line."""
        options = {
            "--domain": self.domain or None,
            "--pack": self.pack,
            "--test": self.test,
            "--config": self.own,
            "--tune": None if self.tune is Tune.WORDS else self.tune,
        }
        given = [
            str(word) for o, value in options.items() if value is not None for word in (o, value)
        ]
        flags = {"--no-replay": self.no_replay, "--force": self.force}
        return [*given, *(flag for flag, said in flags.items() if said)]


def retrain_domain(options: DomainOptions, data: Path, state: Path | None, more: list[str]) -> int:
    """Train on a domain; `more` are the command line's other options, for who goes on.

    Raises:
        WrongUse: the options do not go together.
        InvalidInput: there are no sources to replay.
    """
    options.check()
    if not options.no_replay and not data.is_dir():
        raise InvalidInput(
            f"expected the sources that are replayed in {data}, was: no folder; name it with "
            "--data FOLDER, or train without them, at the risk that much is forgotten: --no-replay"
        )

    from cli.retraining import Plan, carry_out  # loads torch

    command = shlex.join(["wraner", "train", *options.words(), *more])
    verdict = carry_out(Plan(options, data, state, command))
    if verdict is None:
        return Exit.INTERRUPTED
    return Exit.OK if verdict.promoted else Exit.REFUSED
