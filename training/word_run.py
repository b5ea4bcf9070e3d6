"""One tuning of the word encoder, carried out: its steps shown and logged, loss on dev measured.

Knows no folder of tunings and no command line.
"""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from rich.console import Console

from training.finetune import StepBar, figures
from training.loop import StepReport
from training.metric_log import MetricLog
from training.word_manifest import WordManifest, write_tuning
from training.word_preparation import PreparedWords
from training.word_settings import WordSettings
from training.word_tuning import measure, tune


@dataclass(frozen=True, slots=True)
class WordRun:
    """A tuning that can start.

    `parent` is the hash of the weights that it goes on from, "" for the encoder alone. Its figures
    go to `log`; `target` is the folder that it is written as.
    """

    prepared: PreparedWords
    settings: WordSettings
    parent: str
    log: Path
    target: Path


def run_tuning(run: WordRun, *, console: Console) -> None:
    """Tune to the end and write the tuning.

    Raises:
        InvalidInput: the folder to write is there.
    """
    prepared, settings = run.prepared, run.settings
    with _Watched(settings, run.log, console) as watched:
        dev_loss = _tuned(prepared, settings, watched=watched)
    manifest = WordManifest(
        base_sha256=prepared.base_sha256,
        parent=run.parent,
        data=prepared.data,
        config=settings.model_dump(mode="json"),
        loss=watched.last_loss,
        dev_loss=dev_loss,
        created=datetime.now(UTC).date(),
    )
    write_tuning(prepared.tuned, manifest, target=run.target)


def _tuned(prepared: PreparedWords, settings: WordSettings, *, watched: "_Watched") -> float | None:
    """Tune; measure the loss on dev, in nats a word, before and after, and return the last."""
    model = prepared.tuned.model

    def dev_loss(step: int) -> float | None:
        if not prepared.dev:
            return None
        loss = measure(model, prepared.dev, temperature=settings.temperature)
        watched.on_evaluated(step, loss)
        return loss

    dev_loss(0)
    tune(model, prepared.episodes, settings=settings, on_step=watched.on_step)
    return dev_loss(settings.steps)


class _Watched:
    """A tuning that is shown and logged; a context manager."""

    def __init__(self, settings: WordSettings, folder: Path, console: Console) -> None:
        self._log = MetricLog(folder, run=folder.name, settings=settings.model_dump(mode="json"))
        self._bar = StepBar(settings.steps, console)
        self._last: deque[float] = deque(maxlen=max(1, settings.steps // 10))

    def __enter__(self) -> Self:
        self._bar.progress.start()
        return self

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
