"""Folders: where the command finds what is stored and what ships: in the repository.

What serves looks in the working directory, which for a command is anywhere. Knows no other setting.
"""

import os
from pathlib import Path

_ROOT = Path(__file__).parent.parent


def store_in(state: Path | None) -> None:
    """Set the variables that name folders; `state`, where it is given, whatever was set."""
    if state is not None:
        os.environ["WRANER_STATE_DIR"] = str(state)
    default_to_repository()


def as_named(state: Path | None) -> str:
    """Return what a suggested command ends with, so that it means the same `state`."""
    return "" if state is None else f" --state {state}"


def default_to_repository() -> None:
    """Set the variables that name folders, where they are not set."""
    os.environ.setdefault("WRANER_STATE_DIR", str(_ROOT / "state"))
    os.environ.setdefault("WRANER_PACKS_DIR", str(_ROOT / "packs"))
    os.environ.setdefault("WRANER_ADAPTERS_DIR", str(_ROOT / "adapters"))
