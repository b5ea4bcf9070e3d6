"""Finetune an adapter as settings say, in this process, and go on where an earlier try stopped.

    python -m training.finetune training/configs/ner.yaml --data ../shared/data

Everything of a run lies in one folder, named by the hash of its settings: figures, checkpoints and,
at the end, the adapter.
"""

import argparse
import hashlib
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from training import checkpoints, lora
from training.claims import claimed
from training.corpus import StoreSettings
from training.loop import State, StepReport, train
from training.metric_log import MetricLog, read_metrics
from training.preparation import Places, Prepared, Say, prepare
from training.settings import TrainingSettings, read_settings
from training.sources import Source
from wraner.adapters import TrainingData
from wraner.chunks import chunk
from wraner.errors import WranerError
from wraner.language_model import device_at_hand
from wraner.weights import BaseModel

ADAPTER, CHECKPOINTS = "adapter", "checkpoints"
_PACE_S = 1800  # the time left is told from the steps in so long; on a CPU one may take minutes


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a finished run left its adapter, what went into it, and its last figures."""

    folder: Path
    adapter: Path
    dev_loss: float | None
    base: BaseModel
    data: tuple[TrainingData, ...]


def main() -> int:
    """Finetune as the command line asks."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--state", type=Path, default=Path("state"))
    args = parser.parse_args()
    console = Console(stderr=True)
    try:
        outcome = finetune(
            read_settings(args.config), Places(args.state, args.data), console=console
        )
    except WranerError as error:
        console.print(f"[red]{error}[/]")
        return 1
    print(outcome.adapter)
    return 0


def finetune(settings: TrainingSettings, places: Places, *, console: Console) -> Outcome:
    """Train to the end, from the last checkpoint if there is one; write the adapter.

    Raises:
        InvalidInput, Unavailable: as `prepare` and `train_to_end`.
    """
    device = device_at_hand()
    say: Say = console.log
    prepared = prepare(settings, places, say=say, device=device)
    run = run_name(settings, prepared.base)
    folder = places.state / "training" / "runs" / run
    adapter = train_to_end(prepared, folder, console, run=run)
    data = taught_data(prepared)
    return Outcome(folder, adapter, last_dev_loss(folder), prepared.base, data)


def train_to_end(prepared: Prepared, folder: Path, console: Console, *, run: str) -> Path:
    """Carry out a run in its folder, from the last checkpoint if there is one; write the adapter.

    Raises:
        InvalidInput, Unavailable: as `claimed`, `checkpoints.latest` and `train`.
    """
    with claimed(folder):
        start = checkpoints.latest(folder / CHECKPOINTS, run=run)
        with Watched(prepared.run.settings, folder, console, start, run=run) as hooks:
            train(prepared.run, hooks, start=start, place=str(folder))
        return write_adapter_files(prepared, folder)


def run_name(settings: TrainingSettings, base: BaseModel) -> str:
    """Return what a run is known by: its settings, and the weights below it."""
    return hashlib.sha256(f"{settings.identity} {base.sha256}".encode()).hexdigest()[:16]


def write_adapter_files(prepared: Prepared, folder: Path) -> Path:
    """Write a trained model's adapter into its run's folder, in bf16, as it is served."""
    lora.save(prepared.run.model, prepared.shape, folder / ADAPTER, dtype=torch.bfloat16)
    return folder / ADAPTER


def training_data(
    sources: Sequence[Source], settings: TrainingSettings
) -> tuple[TrainingData, ...]:
    """Return what a run is taught: of each source the sentences that are dealt into stores."""
    longest, most = StoreSettings().longest_words, settings.most_sentences
    dealt = (sum(len(chunk(e.text)) <= longest for e in source.train) for source in sources)
    return tuple(
        TrainingData(name=s.name, terms=s.terms, sentences=min(count, most or count))
        for s, count in zip(sources, dealt, strict=True)
    )


def taught_data(prepared: Prepared) -> tuple[TrainingData, ...]:
    """Return what a prepared run is taught by."""
    return (*training_data(prepared.sources, prepared.run.settings), *prepared.judged)


def last_dev_loss(folder: Path) -> float | None:
    """Return the newest loss on dev in a run's figures, None where none was measured."""
    losses = [line["dev_loss"] for line in read_metrics(folder) if "dev_loss" in line]
    return losses[-1] if losses else None


def figures(report: StepReport) -> dict[str, float]:
    """Return what is logged of an update."""
    return {
        "loss": report.loss,
        "gradient_norm": report.gradient_norm,
        "learning_rate": report.learning_rate,
        "tokens": float(report.tokens),
        "tokens_per_s": report.tokens / report.seconds,
    }


class StepBar:
    """A progress bar over a run's steps, with loss and pace."""

    def __init__(self, steps: int, console: Console) -> None:
        self.progress = Progress(
            TextColumn("step {task.completed:.0f} of {task.total:.0f}"),
            BarColumn(),
            TextColumn("loss {task.fields[loss]}, {task.fields[pace]} tokens/s"),
            TimeRemainingColumn(),
            console=console,
            speed_estimate_period=_PACE_S,
        )
        self._task = self.progress.add_task("", total=steps, loss="-", pace="-")

    def show(self, step: int, shown: Mapping[str, float] | None = None) -> None:
        """Show that `step` updates are done, the last with some figures."""
        self.progress.update(self._task, completed=step)
        if shown is not None:
            loss, pace = f"{shown['loss']:.3f}", f"{shown['tokens_per_s']:.0f}"
            self.progress.update(self._task, loss=loss, pace=pace)


class Watched:
    """A run that is shown, logged and kept; a context manager."""

    def __init__(
        self,
        settings: TrainingSettings,
        folder: Path,
        console: Console,
        start: State | None,
        *,
        run: str,
    ) -> None:
        done = 0 if start is None else start.step
        self._run = run
        self._folder = folder
        self._log = MetricLog(
            folder, run=self._run, settings=settings.model_dump(mode="json"), done=done
        )
        self._bar = StepBar(settings.optimiser.last_step, console)
        self._bar.show(done)
        if done:
            console.log(f"going on behind step {done}")

    def __enter__(self) -> "Watched":
        self._bar.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.progress.stop()
        self._log.close()

    def on_step(self, report: StepReport) -> None:
        """Log and show an update."""
        shown = figures(report)
        self._log.write(report.step, shown)
        self._bar.show(report.step, shown)

    def on_evaluated(self, step: int, loss: float) -> None:
        """Log and show the loss on what is never taught."""
        self._log.write(step, {"dev_loss": loss})
        self._bar.progress.console.log(f"step {step}: loss on dev {loss:.4f}")

    def on_checkpoint(self, state: State) -> None:
        """Keep a state."""
        checkpoints.keep(self._folder / CHECKPOINTS, state, run=self._run)


if __name__ == "__main__":
    sys.exit(main())
