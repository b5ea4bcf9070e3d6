"""A policy set whose titles do not fit the model together is answered, and says that it differs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.api import build_api
from tests.services.fakes import JUDGE_ALONE, FakeEngine, make_gateway
from wraner.engine import Engine, ScoreRequest, Scores
from wraner.fusion import VerdictFusion
from wraner.local import LocalEngine

VERDICT = VerdictFusion(overall=1.0, leaning=0.0, strongest=0.0, bias=0.0)
FITTED = JUDGE_ALONE.model_copy(update={"verdict": VERDICT, "calibrated": True})
LARGE, SMALL = 500, 3


class NarrowEngine(FakeEngine):
    """Reads at most 8,192 words; refuses what is longer, as engines do."""

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        long = [len(r.prompt.instruction.split()) > 8192 for r in requests]
        assert not any(n and not r.dispensable for n, r in zip(long, requests, strict=True))
        found = await super().score(requests)
        return [Scores((), 0) if n else s for n, s in zip(long, found, strict=True)]


def policy(number: int) -> dict[str, str]:
    return {"id": f"p{number}", "title": f"{number:04} " + "a " * 47 + "b", "definition": "d"}


def asked(folder: Path, engine: Engine, size: int, **body: Any) -> Any:
    with TestClient(build_api(make_gateway(folder, engine=engine, fusion=FITTED))) as client:
        stored = {"policies": [policy(n) for n in range(size)]}
        assert client.put("/v1/policy-sets/forum", json=stored).status_code == 201
        body = {"policy_set": "forum", "text": ["a bad thing", "a thing"], **body}
        answer = client.post("/v1/moderate", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()["results"]


@pytest.mark.parametrize(("size", "calibrated"), [(SMALL, True), (LARGE, False)])
@pytest.mark.parametrize("exhaustive", [False, True])
def test_whether_the_titles_fit_is_said_of_every_answer(
    tmp_path: Path, size: int, calibrated: bool, exhaustive: bool
) -> None:
    bad, good = asked(tmp_path, NarrowEngine(), size, exhaustive=exhaustive)
    assert (bad["decision"], good["decision"]) == ("violates", "allowed")
    assert bad["calibrated"] is good["calibrated"] is calibrated
    judged = size if exhaustive else min(size, 5)
    assert len(bad["coverage"]["policies_judged"]) == judged
    assert bad["coverage"]["policies_skipped"] == size - judged
    assert bad["score"] == pytest.approx(max(m["score"] for m in bad["matches"]))


def test_named_policies_of_a_large_set_are_judged_as_ever(tmp_path: Path) -> None:
    bad, _ = asked(tmp_path, NarrowEngine(), LARGE, policies=["p0", "p499"])
    assert [m["policy"] for m in bad["matches"]] == ["p0", "p499"]
    assert not bad["calibrated"], "the highest of two scores"
    bad, _ = asked(tmp_path / "one", NarrowEngine(), LARGE, policies=["p0"])
    assert [m["policy"] for m in bad["matches"]] == ["p0"] and bad["calibrated"]


@pytest.mark.parametrize(("size", "calibrated"), [(SMALL, True), (LARGE, False)])
def test_a_model_answers_as_far_as_it_can_read(
    tmp_path: Path, tiny_engine: LocalEngine, size: int, calibrated: bool
) -> None:
    results = asked(tmp_path, tiny_engine, size)
    assert [r["calibrated"] for r in results] == [calibrated] * 2
    assert all(0 < r["score"] < 1 for r in results)
