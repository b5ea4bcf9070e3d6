"""The terminal: whether there is one, and how standard output and error are written to.

NO_COLOR is respected by rich. Knows no result.
"""

import os
import sys
from typing import BinaryIO

import typer
from rich.console import Console

from cli.failures import WrongUse
from cli.options import Layout


def layout(chosen: Layout | None) -> Layout:
    """Return how to show results: as chosen, else as suits standard output."""
    return chosen or (Layout.VIEW if sys.stdout.isatty() else Layout.JSONL)


def out() -> Console:
    """Return standard output for people."""
    return Console(highlight=False, markup=False, emoji=False)


def aside() -> Console:
    """Return standard error for people."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def lines_out() -> BinaryIO:
    """Return standard output for bytes."""
    return sys.stdout.buffer


def close_quietly() -> None:
    """Let nothing more be written to a standard output that nobody reads."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def confirm(question: str, *, yes: bool) -> None:
    """Ask at a terminal whether to go on; without one `yes` must have been given.

    Raises:
        WrongUse: there is nobody to ask, or the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongUse(f"{question} There is no terminal to ask at; say --yes")
    try:
        sure = typer.confirm(question, err=True)
    except typer.Abort:  # Ctrl-C or Ctrl-D
        raise KeyboardInterrupt from None
    if not sure:
        raise WrongUse("nothing was changed")
