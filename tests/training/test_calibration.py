"""Calibration: texts are asked about as when served, and what is fitted tells sides apart."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.training.judged_towns import TOWNS
from tests.wraner.random_adapters import hollow_adapter
from training import calibration
from training.calibration import Judge, ask, report
from training.fusion_fit import Asked, cross_fitted, fitted, score_of
from wraner.adapters import read_adapter
from wraner.engine import Answer, GenerateRequest, ModelInfo, ScoreRequest, Scores
from wraner.retrieval import Evidence, Neighbours, PackRef, PolicyEvidence
from wraner.weights import BaseModel

BREACHING = [t.example.text for t in TOWNS.dev if t.breaches]


class Leaning:
    """Leans towards a breach for hateful texts; the policy of a text comes first."""

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        raise NotImplementedError

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        assert pack.inline is not None and len(pack.inline.examples) == len(TOWNS.train)
        return [self._of(text) for text in texts]

    def _of(self, text: str) -> Evidence:
        sign = 1.0 if text in BREACHING else -1.0
        policies = tuple(
            PolicyEvidence(p.id, (), (), 0.3, (), leaning=sign * 2) for p in TOWNS.policies
        )
        return Evidence(policies, "g", leaning=sign)


class Knowing:
    def __init__(self) -> None:
        self.asked: list[ScoreRequest] = []

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        self.asked += requests
        return [Scores((self._logit(r.prompt.text), 0.0), 0) for r in requests]

    def _logit(self, text: str) -> float:
        return 1.0 if text in BREACHING else -1.0

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Answer]:
        raise NotImplementedError

    async def info(self) -> ModelInfo:
        return ModelInfo("fake", ())


def test_texts_are_asked_about_as_when_served() -> None:
    engine = Knowing()
    judge = Judge(Leaning(), engine, "ad", shortlist=1, exhaustive=4)
    asked = asyncio.run(ask(judge, TOWNS, TOWNS.dev))
    assert [len(a.judged) for a in asked] == [2, 1, 1, 1] * 2
    assert len(engine.asked) == 10 + len(TOWNS.dev)  # the policies and the whole set
    assert {r.adapter for r in engine.asked} == {"ad"}
    assert sum("any of these" in r.prompt.instruction for r in engine.asked) == len(TOWNS.dev)
    assert [a.overall for a in asked] == [1.0 if t.breaches else -1.0 for t in TOWNS.dev]


def test_what_is_fitted_tells_sides_apart_and_is_calibrated() -> None:
    asked = asyncio.run(ask(Judge(Leaning(), Knowing(), ""), TOWNS, TOWNS.dev))
    fusion = fitted(asked, TOWNS, shown=False)
    assert fusion.calibrated and not fusion.examples_shown and fusion.verdict is not None
    for a in asked:
        assert (score_of(a, fusion) >= 0.5) == a.text.breaches
    fusions = cross_fitted(asked, TOWNS, shown=False, folds=2)
    crossed = [score_of(a, f) for a, f in zip(asked, fusions, strict=True)]
    assert [s >= 0.5 for s in crossed] == [t.breaches for t in TOWNS.dev]
    few = fitted(asked, TOWNS, shown=False, few=True)
    assert few.verdict is not None and few.verdict.leaning == 0.0
    assert [score_of(a, few) >= 0.5 for a in asked] == [a.text.breaches for a in asked]
    assert report("fused", TOWNS.dev, crossed).startswith("| fused | 1.000 |")


def test_the_command_writes_what_it_fitted_into_the_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def asked(*_: object) -> tuple[list[Asked], list[Asked]]:
        found = await ask(Judge(Leaning(), Knowing(), ""), TOWNS, TOWNS.dev)
        return found, found

    monkeypatch.setattr(calibration, "read_judged_texts", lambda *_: TOWNS)
    monkeypatch.setattr(calibration, "_asked", asked)
    identity = hollow_adapter(BaseModel(Path("none"), "tiny", "0" * 64), tmp_path, "{}")
    config = Path(calibration.__file__).parent / "configs" / "moderation.yaml"
    assert calibration.main([str(config), "--adapter", str(tmp_path / identity)]) == 0
    rows = capsys.readouterr().out.split("{")[0].splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == [
        "| whole set asked",
        "| leaning",
        "| fused",
        "| few examples",
    ]
    written = read_adapter(tmp_path, identity).calibration
    assert written is not None and written.verdict is not None and written.few is not None
    assert written.few.verdict is not None and written.few.verdict.leaning == 0.0
