"""Preparation: weights converted, shipped packs indexed, before anything is served.

`python -m services.prepare` prints a line for whatever takes long; on failure its last line says
what is wrong, and it exits with 2. Runs in a process of its own, so that what it loads is gone
afterwards. Doing it again costs nothing much. Knows no Ray.
"""

import sys

from services.loading import load_base, load_retriever, pack_store
from services.settings import Settings
from wraner.errors import WranerError
from wraner.registry import missing_shipped


def is_needed(settings: Settings) -> bool:
    """Return whether a first start's work is still to be done; cheap."""
    converted = any((settings.state_dir / "models").glob("*"))
    return not converted or bool(missing_shipped(pack_store(settings), settings.packs_dir))


def prepare(settings: Settings) -> None:
    """Convert, import and index what is missing, and say so line by line."""

    def say(words: str) -> None:
        print(words, flush=True)

    load_base(settings, say=say)
    load_retriever(settings, say=say)


if __name__ == "__main__":
    try:
        prepare(Settings().at_absolute_paths())
    except WranerError as error:
        print(error, flush=True)
        sys.exit(2)
