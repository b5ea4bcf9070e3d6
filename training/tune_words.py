"""Tune the word encoder as settings say, so that words of one type lie together.

    python -m training.tune_words training/configs/words.yaml --data ../shared/data --out FOLDER

With --from it goes on from an earlier tuning, as for one's own domain. The folder appears when the
tuning is done; the figures of its steps lie below the state folder.
"""

import argparse
import hashlib
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from index.bundled import hash_file
from training.clean_sources import read_clean_sources
from training.lineage import inherited, joined
from training.word_manifest import refuse_existing
from training.word_preparation import prepare_words
from training.word_run import WordRun, run_tuning
from training.word_settings import WordSettings, read_word_settings
from wraner.adapters import WEIGHTS
from wraner.errors import WranerError


@dataclass(frozen=True, slots=True)
class WordPlaces:
    """Where things lie on disk: the sources, what is kept of runs, the tuning that is written.

    `parent` is the tuning to go on from; None: the encoder alone.
    """

    data: Path
    state: Path
    out: Path
    parent: Path | None = None


def main(arguments: list[str] | None = None) -> int:
    """Tune as the command line asks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--state", type=Path, default=Path("state"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--from", dest="parent", type=Path)
    args = parser.parse_args(arguments)
    console = Console(stderr=True, highlight=False, markup=False, emoji=False, log_path=False)
    places = WordPlaces(args.data, args.state, args.out, args.parent)
    try:
        tune_words(read_word_settings(args.config), places, console=console)
    except WranerError as error:
        console.print(str(error), style="red")
        return 1
    except KeyboardInterrupt:
        console.print("stopped; nothing was written", style="red")
        return 130
    print(args.out)
    return 0


def tune_words(settings: WordSettings, places: WordPlaces, *, console: Console) -> None:
    """Tune to the end and write the tuning.

    Raises:
        InvalidInput: the folder to write is there, a source cannot be read, a loss is not finite,
            or as `prepare_words`.
        Unavailable: the encoder is not there.
    """
    refuse_existing(places.out)
    parent = "" if places.parent is None else hash_file(places.parent / WEIGHTS)
    sources = read_clean_sources(settings, places.data, console.log)
    prepared = prepare_words(settings, sources, parent=places.parent, say=console.log)
    prepared = replace(prepared, data=joined(inherited(places.parent), prepared.data))
    run = hashlib.sha256((settings.identity + parent).encode()).hexdigest()[:16]
    log = places.state / "training" / "runs" / run
    run_tuning(WordRun(prepared, settings, parent, log, places.out), console=console)


if __name__ == "__main__":
    sys.exit(main())
