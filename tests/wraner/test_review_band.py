"""What is for a person to review: scores less than the band below their threshold."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.wraner.test_moderate import IDS, POLICIES, WHOLE, FakeRetriever, WordEngine
from wraner.engine import ScoreRequest, Scores
from wraner.fusion import Fusion
from wraner.moderate import ModerateTask, Moderator, ModeratorSettings
from wraner.retrieval import PackRef

BAND = ModeratorSettings(Fusion(judge=1.0, margin=0.0, bias=0.0)).review_band


class Certain(WordEngine):
    """Is as sure as can be that nothing is breached."""

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        return [Scores((-1000.0, 0.0), 0) for _ in requests]


@pytest.mark.parametrize("own", [False, True], ids=["request", "policy"])
@pytest.mark.parametrize("fusion", [Fusion(judge=1.0, margin=0.0, bias=0.0), WHOLE])
def test_a_score_of_nothing_is_not_in_the_band_of_a_threshold_as_wide(
    fusion: Fusion, own: bool
) -> None:
    policies = POLICIES.policies
    if own:
        policies = tuple(p.model_copy(update={"threshold": BAND}) for p in policies)
    asked = POLICIES.model_copy(update={"policies": policies})
    moderator = Moderator(
        retriever=FakeRetriever(), engine=Certain(), settings=ModeratorSettings(fusion)
    )
    for threshold, decision in ((BAND, "allowed"), (BAND - 0.01, "review")):
        if own:
            each = tuple(p.model_copy(update={"threshold": threshold}) for p in asked.policies)
            asked = asked.model_copy(update={"policies": each})
        task = ModerateTask(asked, PackRef("v"), ("x",), policies=IDS, threshold=threshold)
        (verdict,) = asyncio.run(moderator.moderate(task))
        assert (verdict.decision, verdict.score < 1e-9) == (decision, True)
