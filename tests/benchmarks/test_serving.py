"""The benchmark of moderation, asked of a service over fakes."""

import sys
from pathlib import Path

import httpx
import pytest

from benchmarks import serving
from services.api import build_api
from tests.services.drop_in_service import NAMES, POLICIES, PolicyEngine, listening
from tests.services.fakes import make_gateway

REQUESTS, ROUNDS, CONCURRENCY = 4, 3, 2


def test_a_running_service_judges_shortlisted_and_exhaustively(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = PolicyEngine()
    options = [f"--requests={REQUESTS}", f"--rounds={ROUNDS}", f"--concurrency={CONCURRENCY}"]
    with listening(build_api(make_gateway(tmp_path, engine=engine))) as address:
        made = httpx.put(f"{address}/v1/policy-sets/{serving.POLICY_SET}", json=POLICIES)
        assert made.status_code == 201
        monkeypatch.setattr(sys, "argv", ["serving", "--moderate", address, *options])
        serving.main()
    calls = ROUNDS * REQUESTS + CONCURRENCY  # the first ones warm it
    assert len(engine.asked) == calls * (5 + len(NAMES))
    printed = capsys.readouterr().out
    assert f"moderate, concurrency {CONCURRENCY}" in printed
    assert [name in printed for name in ("shortlisted", "exhaustive")] == [True, True]


def test_no_text_is_asked_about_twice() -> None:
    texts = [text for some in serving.unlike_texts(24) for text in some]
    assert len(set(texts)) == len(texts) > 24 * 20


def test_more_texts_than_there_are_cannot_be_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["serving", "--moderate", "--rounds", "1000"])
    with pytest.raises(SystemExit):
        serving.main()
    assert "was: 48048; ask for fewer" in capsys.readouterr().err


def test_rows_show_the_middle_round_and_how_long_requests_took() -> None:
    quick = [float(n) for n in range(1, 101)]
    found = {"one": ([2.0, 1.0, 40.0], quick), "other": ([3.0], [2.0, 2.0])}
    rows = [list(c.cells) for c in serving.show(found, 10, "t").columns]
    assert rows == [
        ["one", "other"],
        ["5.00", "3.33"],
        ["50.50", "2.00"],
        ["95.95", "2.00"],
        ["+0.0 %", "+50.0 %"],
    ]


def test_a_refusal_ends_the_measurement(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(build_api(make_gateway(tmp_path))) as address:
        monkeypatch.setattr(sys, "argv", ["serving", "--moderate", address])
        with pytest.raises(httpx.HTTPStatusError, match="404"):
            serving.main()
