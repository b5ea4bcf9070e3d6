"""File of a report card: written whole or not at all, and over nothing but an older card.

Knows neither figures nor what a card says.
"""

import os
from pathlib import Path

from wraner.errors import InvalidInput

BEGINNING = "<!-- Report card by `wraner evaluate moderation --card`"
"""What every card begins with, so that another file of the same name is never taken for one."""

_HEADER = f"{BEGINNING}; made anew by that command, which drops what is added by hand. -->\n\n"


def check_place(file: Path) -> None:
    """Refuse a place where a card cannot be written, or where something else is.

    A missing folder is no hindrance, nor is an empty file: `write_card` makes the one and
    overwrites the other.

    Raises:
        InvalidInput: there is something that is no card, or no file can be made there.
    """
    if file.is_dir():
        raise InvalidInput(f"expected a card's file, was: {file}, a folder; name a file in it")
    if file.exists() and not (file.is_file() and _may_be_overwritten(file)):
        raise InvalidInput(
            f"expected a new file or an older card, was: {file}, which is something else; name "
            "another file, or move this one away"
        )
    folder = next(one for one in file.absolute().parents if one.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise InvalidInput(
            f"expected a card's file in a folder that can be written, was: {file}; name another"
        )


def write_card(file: Path, card: str) -> None:
    """Write a card under its header; an error leaves what was there.

    Raises:
        InvalidInput: as `check_place`.
        OSError: the file cannot be written.
    """
    check_place(file)
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.{os.getpid()}.new")
    try:
        with fresh.open("x", encoding="utf-8") as content:
            content.write(_HEADER + card)
            content.flush()
            os.fsync(content.fileno())
        os.replace(fresh, file)
    finally:
        fresh.unlink(missing_ok=True)


def _may_be_overwritten(file: Path) -> bool:
    with file.open("rb") as content:
        start = content.read(len(BEGINNING.encode()))
    return start in (b"", BEGINNING.encode())
