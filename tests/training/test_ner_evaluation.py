import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from tests.services.fakes import FakeEngine, FakeIndex
from training.ner_domains import AskedSentence, NerDomain, Split
from training.ner_evaluation import AskSettings, evaluate
from training.ner_results import DomainResult, SentenceResult
from wraner.engine import Answer, GenerateRequest
from wraner.entities import Mention
from wraner.errors import NotFound, Overloaded
from wraner.extract import Extractor
from wraner.packs import Domain, EntityType, TaggedExample

STORE = (
    TaggedExample(id="rome", text="In Rome", entities=(Mention(3, 7, "city"),)),
    TaggedExample(id="rain", text="it rains"),
)
ASKED = tuple(
    AskedSentence(f"dev-{n}", f"there is Town{n}", (Mention(9, 13 + len(str(n)), "city"),), "")
    for n in range(1, 11)
)
DOMAIN = NerDomain(
    name="trips",
    split=Split.DEV,
    pack=Domain(entity_types=(EntityType(name="city"),), examples=STORE),
    leftover=(),
    asked=ASKED,
    whole=len(ASKED),
    files=(),
)


class CountingEngine(FakeEngine):
    """Remembers what it was asked, and how many calls were open at a time."""

    def __init__(self) -> None:
        super().__init__(seconds=0.001)
        self.asked: list[GenerateRequest] = []
        self.open = self.most = 0
        self.errors: list[Exception] = []

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Answer]:
        if self.errors:
            raise self.errors.pop()
        self.asked += requests
        self.open += 1
        self.most = max(self.most, self.open)
        answers = await super().generate(requests)
        self.open -= 1
        return answers


def run(
    engine: CountingEngine,
    settings: AskSettings = AskSettings(),  # noqa: B008
    heard: list[SentenceResult] | None = None,
) -> DomainResult:
    extractor = Extractor(retriever=FakeIndex(), engine=engine)
    told = [] if heard is None else heard
    return asyncio.run(evaluate(extractor, DOMAIN, settings, heard=told.append))


def test_every_sentence_is_answered_in_order() -> None:
    heard: list[SentenceResult] = []
    found = run(CountingEngine(), AskSettings(texts_a_call=3), heard)
    assert [s.id for s in found.sentences] == [s.id for s in ASKED]
    assert sorted(s.id for s in heard) == sorted(s.id for s in ASKED)
    first = found.sentences[0]
    assert [(e.start, e.end, e.text, e.label) for e in first.found] == [(9, 14, "Town1", "city")]
    assert first.gold == ASKED[0].gold
    assert [(n.id, n.labels) for n in first.neighbours] == [("rain", ()), ("rome", ("city",))]
    assert (found.domain, found.split, found.types) == ("trips", "dev", ("city",))
    assert found.index == f"index-{found.pack}" and found.whole == 10


def test_settings_reach_the_engine_and_bound_what_is_in_flight() -> None:
    engine = CountingEngine()
    run(engine, AskSettings(k=1, adapter="abc", calls=2, texts_a_call=1))
    assert engine.most == 2
    assert {(r.adapter, len(r.prompt.examples)) for r in engine.asked} == {("abc", 1)}


def test_an_overloaded_engine_is_asked_again() -> None:
    engine = CountingEngine()
    engine.errors = [Overloaded("full", retry_after_s=0.001), Overloaded("full", retry_after_s=0.0)]
    assert len(run(engine).sentences) == len(ASKED)


def test_another_error_ends_all() -> None:
    engine = CountingEngine()
    extractor = Extractor(retriever=FakeIndex(), engine=engine)

    def fail(_: SentenceResult) -> None:
        engine.error = NotFound("no such adapter")

    with pytest.raises(NotFound, match="no such adapter"):
        asyncio.run(evaluate(extractor, DOMAIN, AskSettings(texts_a_call=2), heard=fail))
    assert len(engine.asked) < len(ASKED) * 2


def test_no_sentence_is_refused() -> None:
    extractor = Extractor(retriever=FakeIndex(), engine=FakeEngine())
    with pytest.raises(ValueError, match="none in trips"):
        asyncio.run(evaluate(extractor, replace(DOMAIN, asked=()), AskSettings()))


@pytest.mark.model
def test_a_real_engine_gives_grounded_answers(tiny_engine: object, tmp_path: Path) -> None:
    from training.ner_scores import find_answer_errors

    extractor = Extractor(retriever=FakeIndex(), engine=tiny_engine)  # type: ignore[arg-type]
    found = asyncio.run(evaluate(extractor, DOMAIN, AskSettings()))
    assert len(found.sentences) == 10 and find_answer_errors(found).impossible == 0
