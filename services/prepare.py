"""Preparation: weights converted, shipped packs indexed, before anything is served.

`python -m services.prepare` prints a line for whatever takes long. Where nothing can be served it
exits with 2, where only some packs are damaged with 1, once the others are done; lines that begin
with `COMPLAINT` say what is wrong. Runs in a process of its own, so that what it loads is gone
afterwards. Doing it again costs nothing much. Knows no Ray.
"""

import sys
import traceback

from services.loading import load_base, pack_store, stock_packs
from services.settings import Settings, read_settings
from services.state_folder import writing_to
from wraner.errors import WranerError
from wraner.registry import missing_shipped

SOME_FAILED, CANNOT_SERVE = 1, 2
COMPLAINT = "failed: "


def is_needed(settings: Settings) -> bool:
    """Return whether a first start's work is still to be done; cheap."""
    converted = any((settings.state_dir / "models").glob("*"))
    return not converted or bool(missing_shipped(pack_store(settings), settings.packs_dir))


def prepare(settings: Settings) -> list[str]:
    """Convert, import and index what is missing, say so line by line; return complaints.

    Raises:
        Unavailable: weights are missing or damaged, or the state folder cannot be written to.
    """

    def say(words: str) -> None:
        print(words, flush=True)

    with writing_to(settings.state_dir):
        load_base(settings, say=say)
        return stock_packs(settings, say=say)


def main() -> int:
    """Prepare and return the exit code."""
    try:
        complaints = prepare(read_settings())
    except WranerError as error:
        print(f"{COMPLAINT}{error}", flush=True)
        return CANNOT_SERVE
    except Exception as error:  # would exit with 1, as if only packs had failed
        traceback.print_exc()
        print(f"{COMPLAINT}something unforeseen: {type(error).__name__}: {error}", flush=True)
        return CANNOT_SERVE
    for complaint in complaints:
        print(f"{COMPLAINT}{complaint}", flush=True)
    return SOME_FAILED if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
