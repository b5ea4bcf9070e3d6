"""The log of a run on Ray, written by Ray's controller, on the machine that asked for the run.

The controller is a process of its own and reads this module alone: what loads the language model
would keep every run waiting for it. Knows no worker and no model.
"""

from pathlib import Path
from typing import Any

from ray.train.v2.api.callback import UserCallback

from training.metric_log import MetricLog

BEGINS = "begins_behind"
"""What a worker reports first: behind which step it begins."""


class Logging(UserCallback):
    """Writes what rank 0 reports, up to `last_step`, to the run's log, `settings` before it."""

    def __init__(self, folder: Path, run: str, *, settings: dict[str, Any], last_step: int) -> None:
        self._folder, self._run = folder, run
        self._settings, self._last_step = settings, last_step
        self._log: MetricLog | None = None

    def after_report(
        self, run_context: Any, metrics: list[dict[str, Any]], checkpoint: Any
    ) -> None:
        """Write what was reported, on the right side of a restart."""
        reported = dict(metrics[0])
        if BEGINS in reported:
            self._close()
            self._log = MetricLog(
                self._folder, run=self._run, settings=self._settings, done=reported[BEGINS]
            )
            return
        step = reported.pop("step")
        if self._log is not None and reported:
            self._log.write(step, reported)
        if checkpoint is not None and step == self._last_step:
            self._close()

    def _close(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None
