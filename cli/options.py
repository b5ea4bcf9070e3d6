"""Options: what several commands are told on the command line, in groups. Knows no command."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.completion import complete_name
from cli.failures import WrongUse
from wraner.formats import choice

_TARGET = "Which wraner"
_INPUT = "Input and output"
_TABLES = (".csv", ".tsv")
_NO_TABLES = (
    "; CSV and TSV are none of them: write a text a line with its entities in brackets, such as "
    "[Ann | person] left, and --format marked"
)


class Layout(StrEnum):
    """How results are shown."""

    JSONL = "jsonl"
    VIEW = "view"


@dataclass(frozen=True)
class TargetOptions:
    """Which wraner answers."""

    server: Annotated[
        str,
        typer.Option(
            "--server",
            envvar="WRANER_URL",
            metavar="URL",
            help="Ask this server.",
            rich_help_panel=_TARGET,
        ),
    ] = "http://127.0.0.1:8000"
    local: Annotated[
        bool,
        typer.Option(
            "--local",
            help="Ask no server: answer in this process, from the folder WRANER_STATE_DIR.",
            rich_help_panel=_TARGET,
        ),
    ] = False
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show where an error comes from.", rich_help_panel=_TARGET),
    ] = False


Format = Annotated[
    Layout | None,
    typer.Option(
        "--format",
        help="How results are shown; left out: view at a terminal, jsonl otherwise.",
        show_default=False,
        rich_help_panel=_INPUT,
    ),
]
"""How results are shown; None: as suits standard output."""


@dataclass(frozen=True)
class StreamOptions:
    """Where texts come from and how results are shown."""

    file: Annotated[
        list[Path],
        typer.Option(
            "--file",
            "-f",
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Read texts from a file, one a line; again for more files.",
            rich_help_panel=_INPUT,
        ),
    ] = field(default_factory=list)
    jsonl: Annotated[
        bool,
        typer.Option(
            "--jsonl",
            help="Texts come in JSON objects, one a line; from .jsonl and .ndjson files always.",
            rich_help_panel=_INPUT,
        ),
    ] = False
    jsonl_field: Annotated[
        str,
        typer.Option(
            "--jsonl-field",
            metavar="NAME",
            help="The field that holds the text; the others come back with the result.",
            rich_help_panel=_INPUT,
        ),
    ] = "text"
    skip: Annotated[
        int,
        typer.Option("--skip", min=0, metavar="N", help="Skip N lines.", rich_help_panel=_INPUT),
    ] = 0
    strict: Annotated[
        bool,
        typer.Option(
            "--strict", help="Stop at the first line that is refused.", rich_help_panel=_INPUT
        ),
    ] = False
    calls: Annotated[
        int,
        typer.Option(
            "--calls", min=1, max=64, metavar="N", help="Calls in flight.", rich_help_panel=_INPUT
        ),
    ] = 2
    format: Format = None


@dataclass(frozen=True)
class PackOptions:
    """Where tagged examples are kept, for `import` and `export`."""

    domain: Annotated[
        str,
        typer.Option(
            "--domain", metavar="NAME", help="A stored domain.", autocompletion=complete_name
        ),
    ] = ""
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="FOLDER", help="A pack folder.")
    ] = None

    def check(self) -> None:
        """Refuse neither or both.

        Raises:
            WrongUse: it is so.
        """
        if bool(self.domain) == (self.folder is not None):
            given = "both" if self.domain else "neither"
            raise WrongUse(f"expected one of --domain NAME and --folder FOLDER, was: {given}")


FileFormat = Annotated[
    choice.Format | None,
    typer.Option(
        "--format", help="The file's format; left out: by its ending.", show_default=False
    ),
]
"""A format of tagged examples; None: as the file's ending says, see `format_of`."""


def format_of(chosen: choice.Format | None, file: Path | None) -> choice.Format:
    """Return the format of a file.

    Raises:
        WrongUse: none is chosen, and the file's ending does not say.
    """
    guessed = chosen or (choice.guess(file) if file else None)
    if guessed is None:
        is_table = file is not None and file.suffix.lower() in _TABLES
        raise WrongUse(
            f"expected --format, one of: {', '.join(choice.Format)}{_NO_TABLES if is_table else ''}"
        )
    return guessed


Name = Annotated[str, typer.Argument(metavar="NAME", autocompletion=complete_name)]
"""A stored pack's name."""

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
"""Whether to go ahead without asking."""


Exhaustive = Annotated[bool, typer.Option("--exhaustive", help="Judge every policy of the set.")]
"""Whether a shortlist is done without."""

Threshold = Annotated[
    float | None,
    typer.Option(
        "--threshold", min=0, max=1, metavar="X", help="What reaches this score violates."
    ),
]
"""The score that decides, None for the server's."""


Retrieved = Annotated[
    int | None,
    typer.Option("--k", min=0, max=64, metavar="N", help="Examples retrieved a text."),
]
"""How many examples stand in the prompt, None for the server's number."""

MinScore = Annotated[
    float,
    typer.Option("--min-score", min=0, max=1, metavar="X", help="Leave out what scores less."),
]
"""The score below which an entity is left out."""

NameOrFolder = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help="A stored name; ./NAME is a folder.",
        autocompletion=complete_name,
        show_default=False,
    ),
]
"""A pack, see `choices.choice_of`."""


def names_of(option: str, names: str | None) -> tuple[str, ...] | None:
    """Return the names that an option chooses, parted by commas; None: left out, which means all.

    Raises:
        WrongUse: a name is empty, as a shell's variable is that is not set; it never means all.
    """
    if names is not None and not all(name.strip() for name in names.split(",")):
        raise WrongUse(f"expected {option} A,B, was: {names!r}; leave {option} out for all")
    return listed(names or "")


def listed(names: str) -> tuple[str, ...] | None:
    """Return names that are parted by commas, None for no names."""
    return tuple(name.strip() for name in names.split(",")) if names else None
