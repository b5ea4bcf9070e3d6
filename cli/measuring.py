"""Measuring: what evaluations share around what they ask.

Settings come from the environment as a server's do. Knows neither texts nor scores.
"""

import asyncio
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from importlib.metadata import version
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.failures import say
from cli.folders import default_to_repository
from cli.terminal import aside
from services.adapters import AdapterChoice
from services.loading import set_environment
from services.settings import Settings, read_settings
from services.stock import stock_adapters
from training.ner_summary import Fact
from wraner.adapters import Task
from wraner.engine import Engine

_LIBRARIES = ("wraner", "torch", "transformers", "llguidance", "numpy")


def evaluation_settings() -> Settings:
    """Return the settings, and set what libraries read when they are imported.

    Raises:
        InvalidInput: a `WRANER_…` variable is wrong.
    """
    default_to_repository()
    settings = read_settings()
    set_environment(settings)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TQDM_DISABLE", "1")
    return settings


def report_folder(out: Path | None, settings: Settings, made: datetime) -> Path:
    """Return the folder of a report, which is made; None: a new one in the state folder."""
    folder = out or settings.state_dir / "evaluations" / made.strftime("%Y%m%d-%H%M%S-%f")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def adapter_choice(task: Task, chosen: str | None, settings: Settings) -> AdapterChoice:
    """Return what says which adapter answers `task`.

    `chosen` is a content hash or ``none``; None: the one that would answer requests.
    """
    for complaint in stock_adapters(settings.state_dir / "adapters", settings.adapters_dir):
        say(complaint)
    if chosen is not None:
        setting = "extract_adapter" if task is Task.NER else "moderate_adapter"
        settings = settings.model_copy(update={setting: chosen})
    return AdapterChoice(settings)


def versions(engine: Engine) -> tuple[Fact, ...]:
    """Return the model, what it computes in and the libraries that answer."""
    from wraner.language_model import device_at_hand, dtype_of

    model = asyncio.run(engine.info()).model
    device = device_at_hand()
    numbers = str(dtype_of("auto", device)).removeprefix("torch.")
    libraries = tuple(Fact(name, version(name)) for name in _LIBRARIES)
    return (
        Fact("model", model),
        Fact("computed in", f"{numbers} on {device}"),
        *libraries,
        Fact("Python", platform.python_version()),
    )


@contextmanager
def bar(name: str, total: int) -> Iterator[Callable[[str], None]]:
    """Show progress at a terminal; yield a function that is told the figures of one more text."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[figures]}", style="dim"),
        TimeRemainingColumn(),
    )
    console = aside()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task(name, total=total, figures="")
        yield lambda figures: progress.update(task, advance=1, figures=figures)
