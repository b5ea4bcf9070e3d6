"""Versions: the immutable folders of one stored pack, each named by the hash of its content.

A folder appears whole or not at all. Its time of change says when it was last made or superseded,
which is what pruning goes by. Knows no names and no pointer.
"""

import os
import re
import shutil
import time
from functools import partial
from pathlib import Path

from wraner.errors import InvalidInput
from wraner.pack_folders import read_pack_folder, write_pack_folder
from wraner.packs import Pack, version
from wraner.whole_folders import appearing

_VERSION = re.compile(r"[0-9a-f]{64}")


def is_version(name: str) -> bool:
    """Return whether `name` can be a version."""
    return _VERSION.fullmatch(name) is not None


def keep(versions: Path, pack: Pack) -> str:
    """Write a pack below `versions`, unless it is there undamaged; return its version."""
    made = version(pack)
    target = versions / made
    if target.is_dir() and _reads_as(target, made):
        touch(target)
        return made
    with appearing(target, is_whole=partial(_reads_as, target, made)) as folder:
        write_pack_folder(folder, pack)
    return made


def touch(folder: Path) -> None:
    """Note that a version was made or superseded now."""
    if folder.is_dir():
        os.utime(folder)


def prune(versions: Path, *, current: str | None, older_than_s: float) -> list[str]:
    """Remove what was superseded longer ago than that; return the versions that are gone."""
    before = time.time() - older_than_s
    gone = [p for p in versions.glob("*") if p.name != current and p.stat().st_mtime < before]
    for folder in gone:
        shutil.rmtree(folder, ignore_errors=True)
    return [p.name for p in gone if is_version(p.name)]


def _reads_as(folder: Path, wanted: str) -> bool:
    try:
        return version(read_pack_folder(folder)) == wanted
    except InvalidInput:
        return False
