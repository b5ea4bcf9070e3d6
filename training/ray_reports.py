"""A run's figures on their way from Ray's workers to the machine that asked for the run.

A worker reports, Ray's controller writes them to the run's log (`ray_log`), and who waits for the
run's end reads the log. Knows no model.
"""

from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory

import ray.train
from rich.console import Console

from training import checkpoints
from training.finetune import StepBar, figures
from training.loop import State, StepReport
from training.metric_log import read_metrics
from training.ray_log import BEGINS
from training.settings import TrainingSettings


def begin(start: State | None) -> None:
    """Report that a worker begins behind a state."""
    ray.train.report({BEGINS: 0 if start is None else start.step})


class Reporting:
    """Hooks of a worker; each call waits for all workers, and rank 0 brings what is kept."""

    def __init__(self, run: str) -> None:
        self._run = run
        self._first = ray.train.get_context().get_world_rank() == 0

    def on_step(self, report: StepReport) -> None:
        """Report an update."""
        ray.train.report({"step": report.step, **figures(report)})

    def on_evaluated(self, step: int, loss: float) -> None:
        """Report the loss on what is never taught."""
        ray.train.report({"step": step, "dev_loss": loss})

    def on_checkpoint(self, state: State) -> None:
        """Have Ray keep a state."""
        reported = {"step": state.step}
        if not self._first:
            ray.train.report(reported)
            return
        with TemporaryDirectory() as folder:
            checkpoints.write(Path(folder), state, run=self._run)
            kept = ray.train.Checkpoint.from_directory(folder)
            ray.train.report(reported, checkpoint=kept, checkpoint_dir_name=f"{state.step:06d}")


class Following:
    """Shows a run's log while it grows; a context manager."""

    def __init__(self, folder: Path, settings: TrainingSettings, console: Console) -> None:
        self._folder, self._console = folder, console
        self._bar = StepBar(settings.optimiser.last_step, console)
        self._shown: list[dict[str, float]] = []

    def __enter__(self) -> "Following":
        self._shown = self._lines()
        if self._shown:
            self._bar.show(int(self._shown[-1]["step"]))
        self._bar.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.look()
        self._bar.progress.stop()

    def look(self) -> None:
        """Show what is new."""
        lines = self._lines()
        pairs = zip(lines, self._shown, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        if same < len(self._shown):  # a restart drops what came after the checkpoint
            self._console.log(f"going on behind step {lines[same - 1]['step'] if same else 0}")
        for line in lines[same:]:
            if "dev_loss" in line:
                self._console.log(f"step {line['step']}: loss on dev {line['dev_loss']:.4f}")
            else:
                self._bar.show(int(line["step"]), line)
        self._shown = lines

    def _lines(self) -> list[dict[str, float]]:
        try:
            return read_metrics(self._folder)
        except FileNotFoundError:
            return []
        except ValueError:  # a line is just being written
            return self._shown
