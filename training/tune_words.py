"""Tune the word encoder as settings say, so that words of one type lie together.

    python -m training.tune_words training/configs/words.yaml --data ../shared/data --out FOLDER

With --from it goes on from an earlier tuning, as for one's own domain. The folder appears when the
tuning is done; the figures of its steps lie below the state folder.
"""

import argparse
import hashlib
import sys
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from index.bundled import hash_file
from training.finetune import StepBar, figures
from training.loop import StepReport
from training.metric_log import MetricLog
from training.word_manifest import WordManifest, refuse_existing, write_tuning
from training.word_preparation import PreparedWords, prepare_words
from training.word_settings import WordSettings, read_word_settings
from training.word_tuning import measure, tune
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


@dataclass(frozen=True, slots=True)
class _LastFigures:
    """How a tuning ended, in nats a word."""

    loss: float
    dev_loss: float | None


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
        InvalidInput: the folder to write is there, or as `prepare_words`.
        Unavailable: the encoder is not there.
    """
    refuse_existing(places.out)
    parent = "" if places.parent is None else hash_file(places.parent / WEIGHTS)
    prepared = prepare_words(settings, places.data, parent=places.parent, say=console.log)
    run = hashlib.sha256((settings.identity + parent).encode()).hexdigest()[:16]
    watched = _Watched(settings, places.state / "training" / "runs" / run, console)
    with watched:
        last = _tuned(prepared, settings, watched=watched)
    manifest = WordManifest(
        base_sha256=prepared.base_sha256,
        parent=parent,
        data=prepared.data,
        config=settings.model_dump(mode="json"),
        loss=last.loss,
        dev_loss=last.dev_loss,
        created=datetime.now(UTC).date(),
    )
    write_tuning(prepared.tuned, manifest, target=places.out)


def _tuned(prepared: PreparedWords, settings: WordSettings, *, watched: "_Watched") -> _LastFigures:
    """Tune; measure the loss on dev before and after."""
    model = prepared.tuned.model

    def dev_loss(step: int) -> float | None:
        if not prepared.dev:
            return None
        loss = measure(model, prepared.dev, temperature=settings.temperature)
        watched.on_evaluated(step, loss)
        return loss

    dev_loss(0)
    tune(model, prepared.episodes, settings=settings, on_step=watched.on_step)
    return _LastFigures(watched.last_loss, dev_loss(settings.steps))


class _Watched:
    """A tuning that is shown and logged; a context manager."""

    def __init__(self, settings: WordSettings, folder: Path, console: Console) -> None:
        self._log = MetricLog(folder, run=folder.name, settings=settings.model_dump(mode="json"))
        self._bar = StepBar(settings.steps, console)
        self._last: deque[float] = deque(maxlen=max(1, settings.steps // 10))

    def __enter__(self) -> None:
        self._bar.progress.start()

    def __exit__(self, *_: object) -> None:
        self._bar.progress.stop()
        self._log.close()

    @property
    def last_loss(self) -> float:
        """The mean over the last tenth of the steps."""
        return sum(self._last) / len(self._last)

    def on_step(self, report: StepReport) -> None:
        """Log and show an update."""
        self._last.append(report.loss)
        shown = figures(report)
        self._log.write(report.step, shown)
        self._bar.show(report.step, shown)

    def on_evaluated(self, step: int, loss: float) -> None:
        """Log and show the loss on what is never taught."""
        self._log.write(step, {"dev_loss": loss})
        self._bar.progress.console.log(f"step {step}: loss on dev {loss:.4f}")


if __name__ == "__main__":
    sys.exit(main())
