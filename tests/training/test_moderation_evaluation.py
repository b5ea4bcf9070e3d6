import asyncio
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import pytest

from tests.services.fakes import FakeEngine, FakeIndex
from tests.training.moderation_examples import POLICIES, row
from training.moderation_evaluation import (
    ModerationAsking,
    ModerationRun,
    Pipeline,
    decided_by,
    evaluate_moderation,
    without_asked,
)
from training.moderation_results import Decided, Prediction
from training.moderation_rows import AskedRows
from wraner.engine import ScoreRequest, Scores
from wraner.errors import InvalidInput, NotFound, Overloaded
from wraner.fusion import Fusion, VerdictFusion
from wraner.moderate import ModerateTask, Moderator, ModeratorSettings
from wraner.packs import PolicySet, version
from wraner.retrieval import PackRef

ROWS = (
    row(1, "mock", True, text="a bad text about Zorvians"),
    row(2, "banish", True, text="a bad text about Zorvians"),
    row(3, "mock", False, text="Zorvians sing"),
    *(row(n, "accuse", True, text=f"bad {n}") for n in range(4, 14)),
)
SETTINGS = ModeratorSettings(Fusion(judge=1.0, margin=0.0, bias=0.0), shortlist=2)
SCEPTICAL = VerdictFusion(overall=1.0, leaning=0.0, strongest=0.0, bias=-4.0)
WHOLE = SETTINGS.fusion.model_copy(update={"verdict": SCEPTICAL})
ASKED = AskedRows(Path("rows.csv"), ROWS, len(ROWS), True)


class CountingEngine(FakeEngine):
    """Remembers what it was asked, and how many calls were open at a time."""

    def __init__(self) -> None:
        super().__init__(seconds=0.001)
        self.asked: list[ScoreRequest] = []
        self.open = self.most = 0
        self.errors: list[Exception] = []

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        if self.errors:
            raise self.errors.pop()
        self.asked += requests
        self.open += 1
        self.most = max(self.most, self.open)
        answers = await super().score(requests)
        self.open -= 1
        return answers


class GradedEngine(CountingEngine):
    """Is sure by text and question, so that scores lie everywhere."""

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        await super().score(requests)
        asked = [f"{r.prompt.instruction}{r.prompt.text}" for r in requests]
        return [Scores((crc32(one.encode()) % 121 / 10 - 6, 0.0), 0) for one in asked]


def run(
    engine: CountingEngine | None = None,
    asking: ModerationAsking = ModerationAsking(),  # noqa: B008
    *,
    policies: PolicySet = POLICIES,
    asked: AskedRows = ASKED,
    heard: list[Prediction] | None = None,
    settings: ModeratorSettings = SETTINGS,
) -> ModerationRun:
    index = FakeIndex()
    moderator = Moderator(retriever=index, engine=engine or CountingEngine(), settings=settings)
    told = [] if heard is None else heard
    pipeline = Pipeline(moderator, index)
    return asyncio.run(
        evaluate_moderation(pipeline, policies, asked=asked, asking=asking, heard=told.append)
    )


def test_each_text_is_asked_once_and_answers_all_its_rows() -> None:
    engine, heard = CountingEngine(), list[Prediction]()
    found = run(engine, ModerationAsking(texts_a_call=3), heard=heard)
    assert [p.rows for p in found.predictions] == [(1, 2), (3,), *((n,) for n in range(4, 14))]
    assert sorted(p.rows for p in heard) == sorted(p.rows for p in found.predictions)
    assert len(engine.asked) == 12 * 2
    assert found.index == f"index-{found.pack}"


def test_predictions_hold_every_judged_policy_and_the_retrievers_order() -> None:
    loud, quiet = run().predictions[:2]
    assert [p.policy for p in loud.judged] == ["banish", "mock"] and loud.score > 0.9
    assert [p.policy for p in quiet.judged] == ["banish", "mock"] and quiet.score < 0.1
    assert loud.order == quiet.order == ("banish", "mock", "accuse")
    (every, *_) = run(asking=ModerationAsking(exhaustive=True)).predictions
    assert len(every.judged) == 3


def test_decisions_are_those_of_the_moderators_own_threshold() -> None:
    settings = ModeratorSettings(SETTINGS.fusion, threshold=0.99, review_band=0.1)
    found = run(settings=settings)
    assert [p.decision for p in found.predictions[:2]] == ["review", "allowed"]
    system = decided_by("wraner", found.predictions, settings)
    assert [(d.row, d.flagged, d.review) for d in system.decided[:3]] == [
        (1, False, True),
        (2, False, True),
        (3, False, False),
    ]
    assert system.threshold == 0.99 and "from 0.99 on" in system.means
    flagged = decided_by("wraner", run().predictions, SETTINGS).decided[0]
    assert flagged == Decided(1, flagged.score, flagged=True)


@pytest.mark.parametrize("fusion", [SETTINGS.fusion, WHOLE], ids=["policies", "whole text"])
@pytest.mark.parametrize("exhaustive", [False, True])
def test_without_thresholds_of_their_own_one_score_decides(
    fusion: Fusion, exhaustive: bool
) -> None:
    words = " ".join(map(str, range(200)))
    texts = [f"text {n} {words if n % 9 == 0 else ''}" for n in range(80)]
    rows = tuple(row(n, "mock", True, text=text) for n, text in enumerate(texts))
    asked = AskedRows(Path("rows.csv"), rows, len(rows), True)
    asking = ModerationAsking(exhaustive=exhaustive, fusion=fusion)
    settings = ModeratorSettings(SETTINGS.fusion, shortlist=2, review_band=0.3)
    found = run(GradedEngine(), asking, asked=asked, settings=settings)
    # From 0 on, whatever is judged is a match, strongest first.
    pack = PackRef(version(POLICIES), inline=POLICIES)
    task = ModerateTask(
        POLICIES, pack, tuple(texts), exhaustive=exhaustive, threshold=0.0, fusion=fusion
    )
    moderator = Moderator(retriever=FakeIndex(), engine=GradedEngine(), settings=settings)
    verdicts = asyncio.run(moderator.moderate(task))
    said = [(p.score, [(j.policy, j.score) for j in p.judged]) for p in found.predictions]
    assert said == [(v.score, [(m.policy, m.score) for m in v.matches]) for v in verdicts]
    decisions = [p.decision for p in found.predictions]
    assert decisions == [
        "violates" if v.score >= 0.5 else "review" if v.score >= 0.2 else "allowed"
        for v in verdicts
    ]
    assert len(set(decisions)) == 3


def test_settings_reach_the_engine_and_bound_what_is_in_flight() -> None:
    engine = CountingEngine()
    run(engine, ModerationAsking(adapter="ab", calls=2, texts_a_call=1))
    assert {r.adapter for r in engine.asked} == {"ab"} and engine.most == 2


def test_the_adapters_own_weights_make_the_scores() -> None:
    surest = VerdictFusion(overall=0.0, leaning=0.0, strongest=1.0, bias=0.0)
    turned = Fusion(judge=-1.0, margin=0.0, bias=0.0, calibrated=True, verdict=surest)
    loud, quiet = run(asking=ModerationAsking(fusion=turned)).predictions[:2]
    assert loud.calibrated and quiet.calibrated
    assert (loud.decision, quiet.decision) == ("allowed", "violates")


def test_a_whole_texts_own_score_decides() -> None:
    loud = run(asking=ModerationAsking(fusion=WHOLE)).predictions[0]
    assert (loud.decision, loud.score) == ("allowed", pytest.approx(0.25, abs=0.01))
    assert loud.judged[0].score > 0.9 and len(loud.judged) == 2


def test_an_overloaded_engine_is_asked_again_and_other_errors_end_it() -> None:
    engine = CountingEngine()
    engine.errors = [Overloaded("full", retry_after_s=0.0)] * 2
    assert len(run(engine).predictions) == 12
    engine.errors = [NotFound("no such adapter")]
    with pytest.raises(NotFound):
        run(engine)


def test_a_policy_set_that_does_not_fit_is_refused() -> None:
    few = PolicySet(policies=POLICIES.policies[:2])
    with pytest.raises(InvalidInput, match="one without accuse"):
        run(policies=few)
    own = POLICIES.policies[0].model_copy(update={"threshold": 0.9})
    with pytest.raises(InvalidInput, match="banish with their own"):
        run(policies=PolicySet(policies=(own, *POLICIES.policies[1:])))
    with pytest.raises(InvalidInput, match="expected rows"):
        run(asked=AskedRows(Path("rows.csv"), (), 0, True))


def test_texts_asked_about_are_no_examples() -> None:
    asked = AskedRows(Path("x"), (row(1, "banish", True, text="zorvians: AWAY"),), 1, True)
    assert [e.id for e in without_asked(POLICIES.examples, asked)] == ["baker"]
