"""Conversions: which pack and which file format `import` and `export` are told. Reads nothing."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli.completion import complete_name
from cli.failures import WrongUse
from wraner.formats.choice import Format, guess

FormatOption = Annotated[
    Format | None,
    typer.Option(
        "--format", help="The file's format; left out: by its ending.", show_default=False
    ),
]
"""A file format, None: as the file's ending says."""


@dataclass(frozen=True)
class PackOptions:
    """Where examples are kept."""

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


def format_of(chosen: Format | None, file: Path | None) -> Format:
    """Return the format of a file.

    Raises:
        WrongUse: none is chosen, and the file's ending does not say.
    """
    guessed = chosen or (guess(file) if file else None)
    if guessed is None:
        raise WrongUse(f"expected --format, one of: {', '.join(Format)}")
    return guessed
