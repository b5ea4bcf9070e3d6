"""Logs: what a person or a collector reads."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from services.logs import log_as_json
from wraner.errors import InvalidInput


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def test_a_line_of_json_on_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    log_as_json()
    structlog.get_logger("wraner.test").info("request", status=200)
    out, err = capsys.readouterr()
    line = json.loads(err)
    assert out == "" and err.count("\n") == 1
    assert (line["event"], line["status"], line["level"]) == ("request", 200, "info")
    assert line["timestamp"].endswith("Z")


def test_serve_logs_faults_whole_and_refusals_by_their_kind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log_as_json()
    serve = logging.getLogger("ray.serve")
    for error in (InvalidInput("was: 'Anna Berg'"), ValueError("a fault of ours")):
        try:
            raise error
        except Exception:
            serve.exception("Request failed.")
    assert "Anna Berg" not in caplog.text and "Request failed. InvalidInput" in caplog.text
    assert "ValueError: a fault of ours" in caplog.text
