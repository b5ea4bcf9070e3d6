"""A run's figures: kept as they come, cut where a run goes on, and sent on when asked."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from training.metric_log import MetricLog, read_metrics
from wraner.errors import Unavailable


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def logged(folder: Path, *steps: int, done: int = 0) -> None:
    log = MetricLog(folder, run="r", settings={"seed": 0}, done=done)
    for step in steps:
        log.write(step, {"loss": 1 / step})
    log.close()


def test_figures_are_read_back_in_order(tmp_path: Path) -> None:
    logged(tmp_path / "run", 1, 2)
    assert read_metrics(tmp_path / "run") == [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}]
    assert list((tmp_path / "run" / "tensorboard").glob("events.*"))


def test_what_a_run_will_do_again_is_dropped(tmp_path: Path) -> None:
    logged(tmp_path, 1, 2, 3, 4)
    logged(tmp_path, 3, 5, done=2)
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3, 5]


def test_mlflow_gets_settings_and_figures_where_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[Any] = []
    flow = ModuleType("mlflow")
    for name in ("start_run", "log_params", "log_metrics", "end_run"):
        setattr(flow, name, lambda *given, name=name, **named: heard.append((name, given, named)))
    monkeypatch.setitem(sys.modules, "mlflow", flow)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    logged(tmp_path, 1)
    assert heard == [
        ("start_run", (), {"run_name": "r"}),
        ("log_params", ({"seed": "0"},), {}),
        ("log_metrics", ({"loss": 1.0},), {"step": 1}),
        ("end_run", (), {}),
    ]


def test_mlflow_that_is_named_and_missing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    with pytest.raises(Unavailable, match="pip install mlflow-skinny"):
        logged(tmp_path, 1)
