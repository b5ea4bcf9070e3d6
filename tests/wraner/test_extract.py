import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wraner.chunks import chunk
from wraner.engine import Answer, GenerateRequest, Line, ModelInfo, ScoreRequest, Scores
from wraner.entities import Span
from wraner.entity_fusion import EntityFusion
from wraner.extract import Extraction, Extractor, ExtractTask
from wraner.packs import Domain, EntityType, TaggedExample
from wraner.policies import Coverage
from wraner.retrieval import Evidence, Neighbour, Neighbours, PackRef
from wraner.word_votes import Habits, WordVotes

DOMAIN = Domain(entity_types=(EntityType(name="name"), EntityType(name="city")))
NEAR = tuple(Neighbour(TaggedExample(id=f"e{n}", text=f"t{n}"), 0.9 - n / 10) for n in range(3))


class FakeRetriever:
    """Always the same neighbours."""

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        return [Neighbours(NEAR[:k], f"generation of {pack.version}") for _ in texts]

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        raise NotImplementedError


class CapitalEngine:
    """Names every capitalised word; a lower-case one too, which stands nowhere."""

    def __init__(self, *, truncated: bool = False, examples_used: int = 99) -> None:
        self.asked: list[GenerateRequest] = []
        self._truncated = truncated
        self._examples_used = examples_used

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Answer]:
        self.asked += requests
        return [self._answer(r) for r in requests]

    def _answer(self, request: GenerateRequest) -> Answer:
        words = [w for w in request.spec.text.split() if w[:1].isupper()]
        lines = [Line(f"{request.spec.labels[0]}: {w}", 0.5 + 0.1 * len(w)) for w in words]
        lines.append(Line("name: nowhere to be found", 0.1))
        used = min(len(request.prompt.examples), self._examples_used)
        return Answer(tuple(lines), used, self._truncated)

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        raise NotImplementedError

    async def info(self) -> ModelInfo:
        return ModelInfo("fake", ())


def extract(engine: CapitalEngine, *texts: str, **task: object) -> list[Extraction]:
    extractor = Extractor(retriever=FakeRetriever(), engine=engine, window_words=6, overlap_words=2)
    asked = ExtractTask(DOMAIN, PackRef("v1"), texts, **task)  # type: ignore[arg-type]
    return asyncio.run(extractor.extract(asked))


@given(st.lists(st.text(st.sampled_from(list("aB .\n北😀")), max_size=80), max_size=4))
def test_entities_are_grounded_flat_and_in_order(texts: list[str]) -> None:
    for source, found in zip(texts, extract(CapitalEngine(), *texts), strict=True):
        assert all(e.text == source[e.start : e.end] for e in found.entities)
        assert all(e.text.strip() == e.text != "" for e in found.entities)
        ends = [0, *(e.end for e in found.entities)]
        assert all(e.start >= end for e, end in zip(found.entities, ends, strict=False))
        assert found.coverage.characters == len(source)
        assert found.dropped == found.coverage.windows


def test_long_texts_are_read_to_the_end() -> None:
    source = " ".join(f"word Name{n}x" for n in range(40))
    (found,) = extract(CapitalEngine(), source)
    assert [e.text for e in found.entities] == [f"Name{n}x" for n in range(40)]
    assert found.coverage.windows > 10


def test_what_it_rests_on_is_cited() -> None:
    (found,) = extract(CapitalEngine(), "Bob", k=2)
    assert [(c.id, c.similarity) for c in found.neighbours] == [("e0", 0.9), ("e1", 0.8)]
    assert found.index == "generation of v1"
    (found,) = extract(CapitalEngine(examples_used=1), "Bob", k=2)
    assert [c.id for c in found.neighbours] == ["e0"]


def test_types_scores_and_the_request_travel_on() -> None:
    engine = CapitalEngine()
    found = extract(
        engine, "Bob Alexander", labels=("city",), min_score=1.0, adapter="a", deadline=7.0
    )
    assert [(e.text, e.label) for e in found[0].entities] == [("Alexander", "city")]
    assert engine.asked[0].spec.labels == ("city",)
    assert (engine.asked[0].adapter, engine.asked[0].deadline) == ("a", 7.0)


def test_a_cut_answer_is_declared() -> None:
    (found,) = extract(CapitalEngine(truncated=True), "Bob")
    assert found.coverage == Coverage(3, 1, True)


class VotingRetriever(FakeRetriever):
    """Every word votes for a city."""

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        near = await super().neighbours(pack, texts, k)
        return [replace(n, votes=votes_on(t)) for n, t in zip(near, texts, strict=True)]


def votes_on(text: str) -> WordVotes:
    words = tuple(Span(c.start, c.end) for c in chunk(text))
    habits = Habits(np.array([0.4, 0.4, 0.2]), np.array([[0.5, 0.5, 0], [0.5, 0.5, 0], [1, 0, 0]]))
    shares = np.tile([0.0, 1.0, 0.0], (len(words), 1))
    return WordVotes(words, ("city",), shares, habits, 100, (100,))


def test_votes_are_fused_where_there_is_a_fusion() -> None:
    fusion = EntityFusion((0.0, 0.0, 0.0, 0.0, 1.0, 0.0), threshold=0.5)
    found = {}
    for hears in (None, fusion):
        extractor = Extractor(
            retriever=VotingRetriever(),
            engine=CapitalEngine(),
            fusion=hears,
            window_words=6,
            overlap_words=2,
        )
        task = ExtractTask(DOMAIN, PackRef("v1"), ("Oslo and Bo and Rome and Riga and Nice",))
        (extraction,) = asyncio.run(extractor.extract(task))
        found[hears is None] = {(e.text, e.label) for e in extraction.entities}
        assert extraction.coverage.windows > 1
    assert ("Oslo", "name") in found[True] and ("and", "city") not in found[True]
    assert ("Oslo", "city") in found[False] and ("and", "city") in found[False]


def test_others_are_answered_while_answers_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[str] = []

    def reading(*_: object) -> None:
        threads.append(threading.current_thread().name)

    monkeypatch.setattr("wraner.extract._extraction", reading)
    extract(CapitalEngine(), "Ann", "Bob")
    assert len(threads) == 2 and threading.current_thread().name not in threads


def test_what_nobody_waits_for_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()
    read: list[str] = []

    def reading(source: str, *_: object) -> None:
        read.append(source)
        begun.set()
        go_on.wait(timeout=30)

    monkeypatch.setattr("wraner.extract._extraction", reading)
    extractor = Extractor(retriever=FakeRetriever(), engine=CapitalEngine())

    async def hang_up() -> None:
        task = ExtractTask(DOMAIN, PackRef("v1"), ("Ann", "Bob", "Eve"))
        asked = asyncio.ensure_future(extractor.extract(task))
        await asyncio.to_thread(begun.wait, 30)
        asked.cancel()
        await asyncio.wait([asked])
        go_on.set()

    asyncio.run(hang_up())
    extract(CapitalEngine(), "Joe")
    assert read == ["Ann", "Joe"]


def test_the_engine_is_not_asked_what_votes_settle() -> None:
    fusion = EntityFusion((0.0, 0.0, 0.0, 0.0, 1.0, 0.0), threshold=0.5, enough_mentions=2)
    for labels, asked in ((("city",), 0), ((), 1), (("name",), 1)):
        engine = CapitalEngine()
        extractor = Extractor(retriever=VotingRetriever(), engine=engine, fusion=fusion)
        task = ExtractTask(DOMAIN, PackRef("v1"), ("Oslo and Bo",), labels=labels, k=2)
        (found,) = asyncio.run(extractor.extract(task))
        assert len(engine.asked) == asked
        assert not asked or "name" in engine.asked[0].spec.labels
        assert [c.id for c in found.neighbours] == ["e0", "e1"]
        if not asked:
            assert [(e.text, e.label) for e in found.entities] == [
                ("Oslo", "city"),
                ("and", "city"),
                ("Bo", "city"),
            ]
            assert found.coverage == Coverage(11, 1, False)
