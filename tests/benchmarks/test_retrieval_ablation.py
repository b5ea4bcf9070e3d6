"""The comparison of retrievers, with an engine that repeats its nearest example's first type."""

import asyncio
from collections.abc import Sequence

import numpy as np

from benchmarks.retrieval_ablation import RankedRetriever, Row, at_random, measure, table
from training.ner_domains import AskedSentence, NerDomain, Split
from wraner.engine import Answer, GenerateRequest, Line, ModelInfo, ScoreRequest, Scores
from wraner.entities import Mention
from wraner.packs import Domain, EntityType, TaggedExample
from wraner.retrieval import PackRef

PACK = Domain(
    entity_types=(EntityType(name="city"), EntityType(name="person")),
    examples=(
        TaggedExample(id="a", text="Oslo is cold", entities=(Mention(0, 4, "city"),)),
        TaggedExample(id="b", text="Ada is here", entities=(Mention(0, 3, "person"),)),
        TaggedExample(id="c", text="Bo is there", entities=(Mention(0, 2, "person"),)),
    ),
)
ASKED = (
    AskedSentence("dev-1", "Riga is warm", (Mention(0, 4, "city"),), ""),
    AskedSentence("dev-2", "Bergen is wet", (Mention(0, 6, "city"),), ""),
)
DOMAIN = NerDomain("trips", Split.DEV, PACK, (), ASKED, 2, ())


class RepeatingEngine:
    """Gives the text's first word the type of the nearest example."""

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Answer]:
        return [self._answer(r) for r in requests]

    def _answer(self, request: GenerateRequest) -> Answer:
        shown = request.prompt.examples
        label = shown[-1].answer.split(":")[0] if shown else "person"
        word = request.spec.text.split()[0]
        return Answer((Line(f"{label}: {word}", 0.5),), len(shown), False)

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        raise NotImplementedError

    async def info(self) -> ModelInfo:
        return ModelInfo("fake", ())


def ranked(*scores: float) -> RankedRetriever:
    return RankedRetriever("ranked", PACK, lambda texts: np.tile(scores, (len(texts), 1)))


def test_rows_are_compared_on_the_same_sentences() -> None:
    rows = [
        Row("right", 1, (ranked(3, 2, 1),)),
        Row("wrong", 1, (ranked(1, 2, 3),)),
        Row("none", 0, (ranked(3, 2, 1),)),
    ]
    measured = [asyncio.run(measure(r, [DOMAIN], RepeatingEngine())) for r in rows]
    assert table(measured).splitlines()[2:] == [
        "| right | 1 | 1.000 | 1.000 | 100.0 (100.0 to 100.0) |  |",
        "| wrong | 1 | 0.000 | 0.000 | 0.0 (0.0 to 0.0) | -100.0 (-100.0 to -100.0) |",
        "| none | 0 | 0.000 | 0.000 | 0.0 (0.0 to 0.0) | -100.0 (-100.0 to -100.0) |",
    ]


def test_random_examples_depend_on_text_and_seed_alone() -> None:
    def drawn(seed: int, *texts: str) -> list[list[str]]:
        near = asyncio.run(at_random(PACK, seed).neighbours(PackRef("v"), texts, 3))
        return [[n.example.id for n in one.neighbours] for one in near]

    texts = [f"text {n}" for n in range(20)]
    alone = [drawn(0, text)[0] for text in texts]
    assert alone == drawn(0, *texts)
    assert alone != drawn(1, *texts)
    assert all(sorted(ids) == ["a", "b", "c"] for ids in alone)
