"""`wraner serve`: the whole service on this machine, until Ctrl-C."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli.folders import default_to_repository


@dataclass(frozen=True)
class ServeOptions:
    """What is most often chosen; `WRANER_…` variables set everything else."""

    port: Annotated[
        int | None,
        typer.Option("--port", min=1, max=65535, help="Port to listen at, 8000 unless set."),
    ] = None
    host: Annotated[
        str | None,
        typer.Option("--host", help="Address to listen at, 127.0.0.1 unless set."),
    ] = None
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="FOLDER",
            help="Folder of everything stored, state/ in the repository unless set.",
        ),
    ] = None


def serve(chosen: ServeOptions) -> int:
    """Serve on this machine until Ctrl-C.

    wraner serve --port 8001
    """
    variables = {
        "WRANER_PORT": chosen.port,
        "WRANER_HOST": chosen.host,
        "WRANER_STATE_DIR": chosen.state,
    }
    os.environ.update({name: str(value) for name, value in variables.items() if value is not None})
    default_to_repository()

    from services.main import main

    return main()
