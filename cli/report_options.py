"""Report options: where the report of an evaluation goes. Knows no figure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli.failures import WrongUse


@dataclass(frozen=True)
class ReportOptions:
    """Where the report goes."""

    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            file_okay=False,
            metavar="FOLDER",
            help="Report and predictions go here; left out: into the state folder.",
            show_default=False,
        ),
    ] = None
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False

    def check(self) -> None:
        """Refuse a folder that holds something.

        Raises:
            WrongUse: it does.
        """
        if self.out is not None and self.out.is_dir() and any(self.out.iterdir()):
            raise WrongUse(f"expected --out a new or empty folder, was: {self.out}")
