"""`wraner train`: an adapter finetuned as a file of settings says, and put on the shelf.

With `--domain` it is trained on that domain's examples and may be promoted, see `retrain`.
"""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from cli.failures import Exit, WrongUse
from cli.folders import store_in
from cli.retrain import DomainOptions, retrain_domain

_PLACES, _CLUSTER = "Places", "On Ray"
_DATA = Path("../shared/data")

Config = Annotated[
    Path | None,
    typer.Argument(
        metavar="CONFIG", exists=True, dir_okay=False, help="A YAML file of training settings."
    ),
]


@dataclass(frozen=True)
class PlaceOptions:
    """Where things lie on disk."""

    data: Annotated[
        Path,
        typer.Option(
            "--data",
            metavar="FOLDER",
            help="What the sources' paths start at.",
            rich_help_panel=_PLACES,
        ),
    ] = _DATA
    state: Annotated[
        Path | None,
        typer.Option(
            "--state",
            metavar="FOLDER",
            help="Folder of everything stored: WRANER_STATE_DIR, or state/ in the repository.",
            show_default=False,
            rich_help_panel=_PLACES,
        ),
    ] = None


From = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="FOLDER",
        help="An adapter of the same shape to go on from; left out: the config's, or a fresh one.",
        show_default=False,
    ),
]


@dataclass(frozen=True)
class ClusterOptions:
    """Whether Ray trains, and on what."""

    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            min=1,
            metavar="N",
            help="Train on so many workers of Ray: of RAY_ADDRESS's, or of one started here; "
            "left out: in this process, without Ray.",
            show_default=False,
            rich_help_panel=_CLUSTER,
        ),
    ] = None
    storage: Annotated[
        str,
        typer.Option(
            "--storage",
            metavar="URL",
            help="Folder or URL for checkpoints, reached by all workers; left out: in the state.",
            show_default=False,
            rich_help_panel=_CLUSTER,
        ),
    ] = ""
    gpu: Annotated[
        bool, typer.Option("--gpu", help="A GPU for each worker.", rich_help_panel=_CLUSTER)
    ] = False

    def check(self) -> None:
        """Refuse what only workers can use.

        Raises:
            WrongUse: there are none.
        """
        if self.workers is None and (self.storage or self.gpu):
            given = "--storage" if self.storage else "--gpu"
            raise WrongUse(
                f"expected --workers N beside {given}, was: none; without workers, checkpoints "
                "lie in the state folder and a GPU is used where there is one"
            )


def train(
    places: PlaceOptions,
    cluster: ClusterOptions,
    domain: DomainOptions,
    config: Config = None,
    start: From = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show where an error comes from.")] = False,
) -> int:
    """Finetune an adapter, and go on where an earlier try with the same settings stopped.

    wraner train training/configs/ner.yaml

    wraner train --domain customer-care
    """
    cluster.check()
    for_config = cluster.workers is not None or start is not None
    if (config is None) != domain.given or (domain.given and for_config):
        raise WrongUse(
            "expected CONFIG, with --workers and --from or without, or else --domain NAME; "
            "`wraner train --help` shows what goes with which"
        )
    _set_environment(places.state)
    if config is None:
        return retrain_domain(domain, places.data, places.state, _words(places))

    from cli.finetuning import Plan, carry_out  # loads torch

    plan = Plan(config, places, cluster, start, _command(config, places, cluster, start))
    return Exit.OK if carry_out(plan) else Exit.INTERRUPTED


def _set_environment(state: Path | None) -> None:
    """Set what is read when torch and transformers are imported, and where things are stored."""
    store_in(state)
    # Threads that wait for each other would take the processor from other processes.
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TQDM_DISABLE", "1")


def _command(
    config: Path, places: PlaceOptions, cluster: ClusterOptions, start: Path | None
) -> str:
    """Return the command line that trains the same again."""
    options = {
        "--from": start,
        "--workers": cluster.workers,
        "--storage": cluster.storage or None,
    }
    flags = ["--gpu"] if cluster.gpu else []
    return shlex.join(["wraner", "train", str(config), *_words(places), *_given(options), *flags])


def _words(places: PlaceOptions) -> list[str]:
    """Return the places as they stand on a command line."""
    data = None if places.data == _DATA else places.data
    return _given({"--data": data, "--state": places.state})


def _given(options: Mapping[str, object]) -> list[str]:
    return [str(word) for o, value in options.items() if value is not None for word in (o, value)]
