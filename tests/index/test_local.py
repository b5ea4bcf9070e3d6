import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from index import generations
from index.at_hand import most_similar
from index.encoder import WordVectors
from index.encoders import Encoders
from index.generations import build
from index.local import LocalRetriever
from index.settings import IndexSettings
from index.store import GenerationStore
from wraner.errors import Unavailable
from wraner.packs import (
    Domain,
    EntityType,
    JudgedExample,
    Policy,
    PolicySet,
    TaggedExample,
    version,
)
from wraner.retrieval import Evidence, PackRef, Retriever

SETTINGS = IndexSettings()
TRAVEL = Domain(
    entity_types=(EntityType(name="place"),),
    examples=tuple(
        TaggedExample(id=i, text=text)
        for i, text in [("a", "Goethe in Strasbourg"), ("b", "a bridge"), ("c", "Rhine bridge")]
    ),
)
FISH = PolicySet(
    policies=(
        Policy(id="herring", title="No herring", definition="Herring is unwelcome."),
        Policy(id="cod", title="No cod", definition="Cod is unwelcome.", excludes=("Codpieces",)),
        Policy(id="eel", title="No eel", definition="Eel is slippery."),
    ),
    examples=(
        JudgedExample(id="1", text="smelly herring everywhere", violates=("herring",)),
        JudgedExample(id="2", text="smelly cod", violates=("cod",), complies=("herring",)),
        JudgedExample(id="3", text="herring swim upriver", complies=("herring",)),
        JudgedExample(id="4", text="fresh bread", complies="all"),
    ),
)


@pytest.fixture
def encoder(make_encoder: Callable[[], Any]) -> Any:
    return make_encoder()


@pytest.fixture
def retriever(encoder: Any, tmp_path: Path) -> LocalRetriever:
    store = GenerationStore(tmp_path, Encoders.same(encoder), SETTINGS)
    store.build(TRAVEL)
    store.build(FISH)
    return LocalRetriever(Encoders.same(encoder), SETTINGS, tmp_path)


def test_that_it_is_there_is_told_while_all_threads_are_taken(retriever: LocalRetriever) -> None:
    free = Event()

    async def asked() -> list[Any]:
        with ThreadPoolExecutor(1) as threads:
            asyncio.get_running_loop().set_default_executor(threads)
            threads.submit(free.wait)
            try:
                return await asyncio.wait_for(
                    retriever.neighbours(PackRef(version(TRAVEL)), [], 1), timeout=10
                )
            finally:
                free.set()

    assert asyncio.run(asked()) == []


def test_it_is_a_retriever(retriever: LocalRetriever) -> None:
    held: Retriever = retriever
    found = asyncio.run(held.neighbours(PackRef(version(TRAVEL)), ["a bridge", "Goethe"], 2))
    assert [n.neighbours[0].example.id for n in found] == ["b", "a"]
    assert [len(n.neighbours) for n in found] == [2, 2]
    assert found[0].neighbours[0].example == TRAVEL.examples[1]
    assert found[1].neighbours[0].similarity > found[1].neighbours[1].similarity


def test_a_search_takes_one_thread_of_numpys(encoder: Any) -> None:
    with threadpool_limits(2, user_api="blas"):
        LocalRetriever(Encoders.same(encoder), SETTINGS)
        pools = [p for p in threadpool_info() if p["user_api"] == "blas"]
        assert pools and {p["num_threads"] for p in pools} == {1}


def test_an_inline_pack_answers_as_the_stored_one(retriever: LocalRetriever, encoder: Any) -> None:
    stored = retriever.neighbours_now(PackRef(version(TRAVEL)), ["Rhine"], 3)
    encoder.encoded.clear()
    alone = LocalRetriever(Encoders.same(encoder), SETTINGS)
    for _ in range(2):
        assert alone.neighbours_now(PackRef("", inline=TRAVEL), ["Rhine"], 3) == stored
    assert sorted(encoder.encoded) == sorted([*(e.text for e in TRAVEL.examples), "Rhine", "Rhine"])


def test_an_inline_pack_costs_what_the_likest_one_at_hand_does_not_hold(
    retriever: LocalRetriever, encoder: Any
) -> None:
    def asked(pack: Domain | PolicySet) -> list[str]:
        encoder.encoded.clear()
        ask = retriever.neighbours_now if isinstance(pack, Domain) else retriever.evidence_now
        ask(PackRef("", inline=pack), ["Rhine"], 3)
        return [text for text in encoder.encoded if text != "Rhine"]

    longer = TRAVEL.model_copy(
        update={"examples": (*TRAVEL.examples, TaggedExample(id="d", text="a boat"))}
    )
    assert len(asked(longer)) == 4, "nothing was opened before"
    changed = longer.model_copy(
        update={"examples": (*longer.examples[:3], TaggedExample(id="d", text="two boats"))}
    )
    assert asked(changed) == ["two boats"]
    retriever.evidence_now(PackRef(version(FISH)), ["Rhine"], 1)
    assert asked(FISH) == [], "a stored pack, opened, is at hand too"
    other = TRAVEL.model_copy(update={"examples": ()})
    assert asked(other) == [] == asked(changed.model_copy(update={"description": "Trips."}))
    alone = LocalRetriever(Encoders.same(encoder), SETTINGS)
    for pack in (changed, TRAVEL):
        ref = PackRef("", inline=pack)
        assert retriever.neighbours_now(ref, ["boats"], 9) == alone.neighbours_now(
            ref, ["boats"], 9
        )


def test_of_packs_at_hand_the_one_that_says_the_same_is_built_on(encoder: Any) -> None:
    def numbered(word: str, *more: str) -> Domain:
        texts = [*(f"{word} {n}" for n in range(8)), *more]
        examples = (TaggedExample(id=str(n), text=text) for n, text in enumerate(texts))
        return TRAVEL.model_copy(update={"examples": tuple(examples)})

    retriever = LocalRetriever(Encoders.same(encoder), SETTINGS)

    def encoded(pack: Domain) -> int:
        encoder.encoded.clear()
        retriever.neighbours_now(PackRef("", inline=pack), ["a"], 1)
        return len(encoder.encoded) - 1

    assert [encoded(numbered(word)) for word in ("boat", "bridge")] == [8, 8]
    assert encoded(numbered("boat", "one more")) == 1, "the same ids say nothing"
    assert encoded(numbered("bridge", "one more")) == 1
    assert encoded(numbered("tower")) == 8


def test_what_is_gone_from_a_generation_is_not_shared(encoder: Any) -> None:
    def told(*texts: str) -> Domain:
        examples = (TaggedExample(id=text, text=text) for text in texts)
        return TRAVEL.model_copy(update={"examples": tuple(examples)})

    encoders = Encoders.same(encoder)
    old = build(told("a", "b", "c"), encoders, SETTINGS)
    with patch.multiple(generations, _SMALL_PART=0, _GROWTH=0, _GONE_SHARE=1):
        new = build(told("c", "d"), encoders, SETTINGS, old)
    assert any(part.gone for part in new.parts), "the old part stays, less what is gone"
    assert most_similar(told("a", "b"), [new, old]) is old
    assert most_similar(told("d", "e"), [old, new]) is new
    assert most_similar(told("x"), [new, old]) is None
    assert most_similar(FISH, [new, old]) is None


def test_a_text_never_retrieves_what_is_excluded(retriever: LocalRetriever) -> None:
    pack = PackRef(version(TRAVEL))
    found = retriever.neighbours_now(pack, ["a bridge", "a bridge"], 3, exclude=[{"b"}, ()])
    assert [[n.example.id for n in each.neighbours] for each in found] == [
        ["c", "a"],
        ["b", "c", "a"],
    ]


def evidence_on(retriever: LocalRetriever, text: str, k: int = 2) -> Evidence:
    (found,) = asyncio.run(retriever.evidence(PackRef(version(FISH)), [text], k))
    return found


def test_every_policy_has_its_evidence_strongest_first(retriever: LocalRetriever) -> None:
    found = evidence_on(retriever, "smelly cod in the river")
    assert found.policies[0].policy == "cod"
    assert {p.policy for p in found.policies} == {"herring", "cod", "eel"}
    of = {p.policy: p for p in found.policies}
    assert [n.example.id for n in of["cod"].violating] == ["2"]
    assert [n.example.id for n in of["cod"].complying] == ["4"]
    assert [n.example.id for n in of["herring"].violating] == ["1"]
    assert of["herring"].complying[0].example.id == "2"
    assert of["eel"].violating == ()
    assert of["cod"].definition > of["eel"].definition


def test_spans_are_the_words_that_speak_for_a_violation(retriever: LocalRetriever) -> None:
    text = "I saw smelly cod, and fresh bread."
    of = {p.policy: p for p in evidence_on(retriever, text).policies}
    assert [text[s.start : s.end] for s in of["cod"].spans] == ["smelly cod"]
    of = {p.policy: p for p in evidence_on(retriever, "Such a slippery one").policies}
    assert [s.start for s in of["eel"].spans] == [7]


def test_a_blank_text_and_k_of_nothing(retriever: LocalRetriever) -> None:
    found = evidence_on(retriever, " ", k=1)
    assert [p.definition for p in found.policies] == [0.0, 0.0, 0.0]
    assert all(p.spans == () for p in found.policies)
    assert evidence_on(retriever, "cod", k=0).policies[0].violating == ()


def test_excluded_examples_are_no_evidence(retriever: LocalRetriever) -> None:
    (found,) = retriever.evidence_now(PackRef(version(FISH)), ["cod"], 2, exclude=[{"2"}])
    assert all(n.example.id != "2" for p in found.policies for n in (*p.violating, *p.complying))


def test_large_policy_sets_are_searched_by_candidates(make_encoder: Callable[[], Any]) -> None:
    encoder = make_encoder()
    exact = LocalRetriever(Encoders.same(encoder), SETTINGS)
    fast = LocalRetriever(Encoders.same(encoder), IndexSettings(kind="ivf_sq8"))
    text = "smelly cod everywhere"
    expected, found = (
        {p.policy: p for p in r.evidence_now(PackRef("", inline=FISH), [text], 2)[0].policies}
        for r in (exact, fast)
    )
    assert found["cod"].violating == expected["cod"].violating


def test_what_is_missing_or_of_the_other_kind(retriever: LocalRetriever, encoder: Any) -> None:
    with pytest.raises(Unavailable, match="store the pack again"):
        retriever.neighbours_now(PackRef("0" * 64), ["x"], 1)
    with pytest.raises(Unavailable, match="inline"):
        LocalRetriever(Encoders.same(encoder), SETTINGS).neighbours_now(PackRef("0" * 64), ["x"], 1)
    with pytest.raises(ValueError, match="expected a Domain"):
        retriever.neighbours_now(PackRef(version(FISH)), ["x"], 1)


def test_what_another_release_stored_can_be_indexed_later(
    make_encoder: Callable[[], Any], tmp_path: Path
) -> None:
    pack = PackRef(version(TRAVEL))
    retriever = LocalRetriever(Encoders.same(make_encoder()), SETTINGS, tmp_path)
    assert retriever.lacks(pack) and not retriever.lacks(PackRef("", inline=TRAVEL))
    with pytest.raises(Unavailable):
        retriever.neighbours_now(pack, ["a bridge"], 1)
    retriever.build(TRAVEL)
    assert not retriever.lacks(pack)
    (found,) = retriever.neighbours_now(pack, ["a bridge"], 1)
    assert found.neighbours[0].example.id == "b"


def test_policies_without_any_example(make_encoder: Callable[[], Any]) -> None:
    bare = FISH.model_copy(update={"examples": ()})
    retriever = LocalRetriever(Encoders.same(make_encoder()), SETTINGS)
    found = retriever.evidence_now(PackRef("", inline=bare), ["herring here"], 2)[0]
    assert found.policies[0].policy == "herring"
    assert [(s.start, s.end) for s in found.policies[0].spans] == [(0, 7)]


def test_a_text_leans_to_the_side_whose_examples_lie_nearer(retriever: LocalRetriever) -> None:
    breach, clean = (evidence_on(retriever, t) for t in ("smelly herring", "fresh bread"))
    assert breach.leaning > 0 > clean.leaning
    of = {p.policy: p.leaning for p in breach.policies}
    assert of["herring"] > 0
    assert of["eel"] == 0.0, "no example violates it"


def test_leaning_is_the_ratio_of_mean_kernels(encoder: Any) -> None:
    pair = Encoders.same(encoder)
    text = "smelly bread"
    (found,) = LocalRetriever(pair, SETTINGS).evidence_now(
        PackRef("", inline=FISH), [text], len(FISH.examples)
    )
    near = {
        n.example.id: n.similarity for p in found.policies for n in (*p.violating, *p.complying)
    }
    sides = [[near[i] / 0.05 for i in ids] for ids in (("1", "2"), ("3", "4"))]
    high, low = (np.log(np.mean(np.exp(np.array(side)))) for side in sides)
    assert found.leaning == pytest.approx(high - low, rel=1e-6)


def test_whole_texts_say_how_near_an_example_lies(make_encoder: Callable[..., Any]) -> None:
    encoder = make_encoder()
    (found,) = LocalRetriever(Encoders.same(encoder), SETTINGS).evidence_now(
        PackRef("", inline=FISH), ["smelly cod!"], 1
    )
    of = {p.policy: p for p in found.policies}
    texts = {t: encoder.encode([t])[0].text for t in ("smelly cod!", "smelly cod")}
    expected = float(texts["smelly cod!"] @ texts["smelly cod"])
    assert of["cod"].violating[0].similarity == pytest.approx(expected, abs=2e-3)


def test_words_alone_lean_otherwise_than_whole_texts(make_encoder: Callable[..., Any]) -> None:
    def leanings(encoder: Any, text: str) -> list[tuple[float, float]]:
        (found,) = LocalRetriever(Encoders.same(encoder), SETTINGS).evidence_now(
            PackRef("", inline=FISH), [text], 1
        )
        of = {p.policy: p for p in found.policies}
        return [(of[p].leaning, of[p].word_leaning) for p in ("cod", "eel")]

    class WithoutTexts:
        """The same words, no vectors of texts."""

        def __init__(self, encoder: Any) -> None:
            self.identity, self.dimension = encoder.identity, encoder.dimension
            self._encoder = encoder

        def encode(self, texts: Sequence[str]) -> list[WordVectors]:
            nothing = np.zeros(0, np.float32)
            return [replace(v, text=nothing) for v in self._encoder.encode(texts)]

    encoder = make_encoder()
    by_words = leanings(WithoutTexts(make_encoder()), "smelly cod!")
    assert all(leaning == words for leaning, words in by_words)
    both = leanings(encoder, "smelly cod!")
    assert [words for _, words in both] == pytest.approx([words for _, words in by_words], rel=1e-5)
    assert both[0][0] != both[0][1]
    assert both[1] == (0.0, 0.0), "no example violates it"


def test_what_nobody_waits_for_any_more_ends(encoder: Any) -> None:
    retriever, pack = (
        LocalRetriever(Encoders.same(encoder), IndexSettings()),
        PackRef("v", inline=TRAVEL),
    )
    retriever._open(pack, "Domain")
    asked, begun, go_on = [], Event(), Event()

    class Slow:
        def encode(self, texts: Sequence[str]) -> Any:
            asked.extend(texts)
            begun.set()
            assert go_on.wait(10)
            return encoder.encode(texts)

    retriever._encoders = replace(retriever._encoders, domains=Slow())

    async def ask() -> None:
        task = asyncio.create_task(retriever.neighbours(pack, ["a", "b", "c"], 1))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()

    asyncio.run(ask())  # ends behind its threads
    assert asked == ["a"]
