"""A run's figures as they come: JSON lines, TensorBoard, and MLflow where one is named.

MLflow is used when MLFLOW_TRACKING_URI is set, and must then be installed. Knows no model.
"""

import json
import os
from pathlib import Path
from typing import Any

from wraner.errors import Unavailable

FILE = "metrics.jsonl"


class MetricLog:
    """Figures by step, of one run."""

    def __init__(self, folder: Path, *, run: str, settings: dict[str, Any], done: int = 0) -> None:
        """Go on behind step `done`; what an interrupted run wrote of later ones is dropped.

        Raises:
            Unavailable: MLflow is asked for and not installed.
        """
        from tensorboardX import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        self._file = folder / FILE
        self._keep(done)
        writer: Any = SummaryWriter
        self._board = writer(str(folder / "tensorboard"), purge_step=done + 1)
        self._flow = _mlflow(run, settings)

    def write(self, step: int, figures: dict[str, float]) -> None:
        """Add figures of one step."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **figures}) + "\n")
        for name, value in figures.items():
            self._board.add_scalar(name, value, step)
        if self._flow is not None:
            self._flow.log_metrics(figures, step=step)

    def close(self) -> None:
        """Write what is still in memory."""
        self._board.close()
        if self._flow is not None:
            self._flow.end_run()

    def _keep(self, done: int) -> None:
        if self._file.exists():
            lines = self._file.read_text(encoding="utf-8").splitlines(keepends=True)
            whole = [line for line in lines if line.endswith("\n")]  # a stop may cut the last off
            kept = [line for line in whole if json.loads(line)["step"] <= done]
            self._file.write_text("".join(kept), encoding="utf-8")


def read_metrics(folder: Path) -> list[dict[str, float]]:
    """Return what was logged, in order."""
    return [json.loads(line) for line in (folder / FILE).read_text(encoding="utf-8").splitlines()]


def _mlflow(run: str, settings: dict[str, Any]) -> Any:
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        return None
    try:
        import mlflow
    except ImportError as error:
        raise Unavailable(
            "MLFLOW_TRACKING_URI is set and MLflow is not installed; "
            "run: pip install mlflow-skinny, or unset the variable"
        ) from error
    mlflow.start_run(run_name=run)
    mlflow.log_params({key: json.dumps(value) for key, value in settings.items()})
    return mlflow
