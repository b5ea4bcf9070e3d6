import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Semaphore
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.wraner.random_adapters import hollow_adapter, random_adapter
from wraner import adapters
from wraner.answers import AnswerSpec
from wraner.engine import Answer, GenerateRequest, ScoreRequest
from wraner.errors import DeadlineExceeded, InvalidInput, NotFound, Overloaded, Unavailable
from wraner.language_model import LanguageModel
from wraner.local import LocalEngine
from wraner.pack_folders import read_pack_folder
from wraner.packs import Domain
from wraner.prompts import Prompt, Turn, render_extraction
from wraner.weights import BaseModel
from wraner.workers import BatchLimits

ROOT = Path(__file__).parents[2]

TEXTS = ("Foo Inc. in 北京 today", "a b", "", "😀 <|end|> x" * 4, "Bob saw Ann and Bob")


def request(text: str, **rest: Any) -> GenerateRequest:
    prompt = Prompt("find", (Turn("x y", "city: x\n"),), text)
    return GenerateRequest(prompt, AnswerSpec(("person", "city"), text), **rest)


def at_work(engine: LocalEngine) -> bool:
    return any(worker.jobs for worker in engine._desk.workers)


async def _together(
    engine: LocalEngine, requests: Sequence[GenerateRequest]
) -> tuple[list[Answer], list[Answer]]:
    alone = [(await engine.generate([r]))[0] for r in requests]
    return alone, await engine.generate(requests)


def test_answers_do_not_depend_on_the_batch(tiny_engine: LocalEngine) -> None:
    requests = [request(text) for text in TEXTS]
    alone, together = asyncio.run(_together(tiny_engine, requests))
    for a, b, r in zip(alone, together, requests, strict=True):
        assert [line.text for line in a.lines] == [line.text for line in b.lines]
        assert [line.score for line in a.lines] == pytest.approx([x.score for x in b.lines])
        assert r.spec.parse(line.text for line in a.lines).dropped == 0
        assert not a.truncated and a.examples_used == 1
    assert any(a.lines for a in alone)


@pytest.mark.model
def test_answers_of_the_bundled_model_do_not_depend_on_the_batch(
    bundled_base: BaseModel, tmp_path: Path
) -> None:
    pack = read_pack_folder(ROOT / "packs" / "customer-care")
    assert isinstance(pack, Domain)
    model = LanguageModel(bundled_base, adapters=tmp_path, dtype="float32")
    engine = LocalEngine(model)
    requests = []
    for number in range(3):
        text = pack.examples[20 * number].text
        shown = pack.examples[20 * number + 1 : 20 * number + 4]
        prompt = render_extraction(pack.entity_types[:4], shown, text)
        requests.append(GenerateRequest(prompt, AnswerSpec(pack.labels[:4], text)))
    alone, together = asyncio.run(_together(engine, requests))
    for a, b in zip(alone, together, strict=True):
        assert [line.text for line in a.lines] == [line.text for line in b.lines]
        scores = [[line.score for line in x.lines] for x in (a, b)]
        assert scores[0] == pytest.approx(scores[1], rel=1e-3)
    assert sum(len(a.lines) for a in alone) > 3
    engine.close()


@pytest.mark.parametrize("examples", [0, 1, 3])
def test_scores_are_those_of_one_plain_run(
    tiny_engine: LocalEngine, tiny_model: LanguageModel, examples: int
) -> None:
    turns = tuple(Turn("some words " * n, f"answer {n}") for n in range(examples))
    prompt = Prompt("judge", turns, "some text")
    words = ("yes", "no", "yesterday")
    plain = AutoModelForCausalLM.from_pretrained(tiny_model.base.path, dtype=torch.float32)
    encoded = tiny_model.chat.encode(prompt, max_tokens=999)
    for _ in range(2):  # computed, then from the cache
        first, second = asyncio.run(
            tiny_engine.score([ScoreRequest(prompt, words), ScoreRequest(prompt, ("no",))])
        )
        assert first.examples_used == examples
        for word, logprob in zip(words, first.logprobs, strict=True):
            option = tiny_model.chat.text_ids(word)
            logits = plain(input_ids=torch.tensor([[*encoded.ids, *option]])).logits[0]
            steps = torch.log_softmax(logits.float(), -1)[encoded.tokens - 1 : -1]
            expected = steps.gather(1, torch.tensor(option)[:, None]).sum().item()
            assert logprob == pytest.approx(expected, rel=1e-5)
        assert second.logprobs[0] == pytest.approx(first.logprobs[1], rel=1e-4)


def test_guessing_changes_no_answer(
    tiny_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [request(text) for text in (*TEXTS, "Ann Lee and Bob Ray Moe met New York FC")]
    guessed = asyncio.run(tiny_engine.generate(requests))
    monkeypatch.setattr(AnswerSpec, "guess", lambda *_: "")
    plain = asyncio.run(tiny_engine.generate(requests))
    monkeypatch.setattr(AnswerSpec, "guess", lambda *_: " utterly wrong")
    misled = asyncio.run(tiny_engine.generate(requests))
    for a, b, c in zip(guessed, plain, misled, strict=True):
        texts = [[line.text for line in x.lines] for x in (a, b, c)]
        assert texts[0] == texts[1] == texts[2]
        scores = [[line.score for line in x.lines] for x in (a, b, c)]
        assert scores[0] == pytest.approx(scores[1], rel=1e-4)
        assert scores[0] == pytest.approx(scores[2], rel=1e-4)


def test_more_continuations_than_there_are_rows_are_refused(tiny_model: LanguageModel) -> None:
    engine = LocalEngine(tiny_model, BatchLimits(rows=2))
    prompt = Prompt("judge", (), "some text")
    with pytest.raises(InvalidInput, match="at most 2 different beginnings, was: 3"):
        asyncio.run(engine.score([ScoreRequest(prompt, ("ab", "cd", "ef"))]))
    scores = asyncio.run(engine.score([ScoreRequest(prompt, ("ab", "ac", "cd"))]))
    assert len(scores[0].logprobs) == 3
    engine.close()


def test_what_is_dispensable_and_does_not_fit_is_answered_without_weights(
    tiny_engine: LocalEngine, tiny_model: LanguageModel
) -> None:
    short, long = (Prompt("judge" * n, (), "some text") for n in (1, tiny_model.context_tokens))
    requests = [
        ScoreRequest(prompt, ("yes", "no"), dispensable=dispensable)
        for prompt, dispensable in ((short, False), (long, True), (short, True))
    ]
    plain, unfitting, fitting = asyncio.run(tiny_engine.score(requests))
    assert unfitting.logprobs == () and len(plain.logprobs) == 2
    assert fitting.logprobs == pytest.approx(plain.logprobs)
    assert asyncio.run(tiny_engine.score([requests[1]])) == [unfitting]
    with pytest.raises(InvalidInput, match="ask for fewer types or policies"):
        asyncio.run(tiny_engine.score([requests[0], ScoreRequest(long, ("yes", "no"))]))


def test_a_short_request_does_not_wait_for_a_long_ones_end(tiny_model: LanguageModel) -> None:
    engine = LocalEngine(tiny_model, BatchLimits(rows=2, join_tokens=1))

    async def ask() -> None:
        many = asyncio.ensure_future(engine.generate([request("Bob saw Ann")] * 100))
        while not at_work(engine):
            await asyncio.sleep(0.001)
        await engine.generate([request("a b")])
        assert not many.done()
        assert len(await many) == 100

    asyncio.run(ask())
    engine.close()


def test_each_request_gets_its_own_adapter(
    tiny_engine: LocalEngine, tiny_model: LanguageModel, tmp_path: Path
) -> None:
    root = tmp_path / "adapters"
    first, second = (random_adapter(tiny_model.base, root, seed) for seed in (1, 2))
    order = ["", first, second, "", second, first]

    async def ask() -> list[float]:
        prompt = Prompt("judge", (), "some text")
        mixed = await tiny_engine.score(
            [ScoreRequest(prompt, ("yes",), adapter=name) for name in order]
        )
        return [s.logprobs[0] for s in mixed]

    scores = asyncio.run(ask())
    by_name = dict(zip(order, scores, strict=True))
    assert len({round(s, 3) for s in by_name.values()}) == 3
    for name, score in zip(order, scores, strict=True):
        assert score == pytest.approx(by_name[name], rel=1e-5)
    assert set(asyncio.run(tiny_engine.info()).adapters) == {first, second}


def test_an_adapter_that_is_missing_damaged_or_of_another_base_is_refused(
    tiny_model: LanguageModel, tmp_path: Path
) -> None:
    root, base = tmp_path / "adapters", tiny_model.base.sha256
    identity = random_adapter(tiny_model.base, root, 1)
    assert adapters.find(root, identity, base_sha256=base) == root / identity
    for name in ("0" * 64, "../x"):
        with pytest.raises(NotFound):
            adapters.find(root, name, base_sha256=base)
    with pytest.raises(Unavailable, match="choose an adapter of this base"):
        adapters.find(root, identity, base_sha256="other")
    (root / identity / adapters.WEIGHTS).write_bytes(b"damaged")
    with pytest.raises(Unavailable, match="restore its folder"):
        adapters.find(root, identity, base_sha256=base)
    (root / identity / adapters.MANIFEST).write_text("{}")
    with pytest.raises(Unavailable, match="restore its folder"):
        adapters.find(root, identity, base_sha256=base)


def test_an_adapter_that_does_not_fit_the_model_is_told_by_its_hash(
    tiny_engine: LocalEngine, tiny_model: LanguageModel, tmp_path: Path
) -> None:
    hollow = hollow_adapter(tiny_model.base, tmp_path / "adapters", "{}")
    with pytest.raises(Unavailable, match=f"adapter {hollow[:16]} does not load"):
        asyncio.run(tiny_engine.generate([request("a b", adapter=hollow)]))
    assert asyncio.run(tiny_engine.generate([request("a b")]))


def test_of_many_adapters_those_used_last_are_kept(
    tiny_model: LanguageModel, tmp_path: Path
) -> None:
    root = tmp_path / "adapters"
    made = [random_adapter(tiny_model.base, root, seed) for seed in range(5)]
    for identity in (*made[:4], made[0], made[4]):
        tiny_model.adapted(identity)
    assert tiny_model.loaded_adapters == (made[2], made[3], made[0], made[4])


def test_one_bad_request_does_not_spoil_its_neighbours(tiny_engine: LocalEngine) -> None:
    async def ask() -> list[Any]:
        return await asyncio.gather(
            tiny_engine.generate([request("Bob saw Ann")]),
            tiny_engine.generate([request("Bob", adapter="0" * 64)]),
            tiny_engine.generate([request("word " * 3000)]),
            return_exceptions=True,
        )

    good, missing, long = asyncio.run(ask())
    assert good[0].examples_used == 1
    assert isinstance(missing, NotFound)
    assert isinstance(long, InvalidInput)


@pytest.mark.parametrize("place", ["grammar", "align_line"])
def test_a_failure_inside_a_batch_is_its_own_requests(
    tiny_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    real = getattr(AnswerSpec, place)

    def poisoned(spec: AnswerSpec, *given: Any) -> Any:
        if "poison" in spec.text:
            raise Unavailable("poisoned")
        return real(spec, *given)

    monkeypatch.setattr(AnswerSpec, place, poisoned)

    async def ask() -> list[Any]:
        return await asyncio.gather(
            *(tiny_engine.generate([request(t)]) for t in ("a b", "poison c", "c d")),
            return_exceptions=True,
        )

    first, second, third = asyncio.run(ask())
    assert isinstance(second, Unavailable)
    assert first[0].lines and third[0].lines


def test_a_model_that_fails_is_said_and_does_not_stop_the_engine(
    tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = LocalEngine(tiny_model, threads=1)

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("out of memory")

    for place in ("blocks", "decode"):
        with monkeypatch.context() as patched:
            patched.setattr(f"wraner.{place}.Slots.run", broken)
            with pytest.raises(RuntimeError, match="out of memory"):
                asyncio.run(engine.generate([request("a b"), request("c d")]))
        assert asyncio.run(engine.generate([request("a b")]))
        assert not at_work(engine)
    engine.close()


def test_a_full_queue_refuses_and_says_when_to_come_back(tiny_model: LanguageModel) -> None:
    engine = LocalEngine(tiny_model, BatchLimits(rows=1, queue_tokens=50), threads=1)

    async def ask() -> None:
        calls = [engine.generate([request("a b")] * 20) for _ in range(5)]
        many = [asyncio.ensure_future(calls[0])]
        while not engine._desk.waiting:
            await asyncio.sleep(0.001)
        assert await engine.generate([request("a b")]), "one call does not fill the queue"
        many += map(asyncio.ensure_future, calls[1:])
        while sum(min(load, 50 / 4) for load in engine._desk.waiting.loads()) <= 50:
            await asyncio.sleep(0.001)
        with pytest.raises(Overloaded) as caught:
            await engine.generate([request("a b")])
        assert caught.value.retry_after_s > 0
        assert [len(found) for found in await asyncio.gather(*many)] == [20] * 5
        assert await engine.generate([request("a b")])

    asyncio.run(ask())
    engine.close()


def test_time_that_is_up_is_said(tiny_engine: LocalEngine) -> None:
    with pytest.raises(DeadlineExceeded):
        asyncio.run(tiny_engine.generate([request("a b", deadline=time.time() - 1)]))


def test_a_cancelled_call_is_not_encoded_to_its_end(
    tiny_engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, encode = Semaphore(0), Semaphore(0), tiny_engine._encode
    encoded: list[Any] = []

    def slowly(one: Any) -> Any:
        encoded.append(one)
        begun.release()
        assert go_on.acquire(timeout=20)
        return encode(one)

    monkeypatch.setattr(tiny_engine, "_encode", slowly)

    async def ask() -> None:
        asked = asyncio.ensure_future(tiny_engine.generate([request("a b")] * 9))
        assert await asyncio.to_thread(begun.acquire, timeout=20)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        go_on.release(9)

    asyncio.run(ask())  # waits for its threads
    assert len(encoded) == 1


def test_a_cancelled_request_leaves_the_queue(tiny_model: LanguageModel) -> None:
    engine = LocalEngine(tiny_model, BatchLimits(rows=1))

    async def ask() -> None:
        waiting = asyncio.ensure_future(engine.generate([request("a b")] * 200))
        while not engine._desk.waiting:
            await asyncio.sleep(0.001)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await engine.generate([request("a b")])
        assert not engine._desk.waiting

    asyncio.run(ask())
    engine.close()


def test_an_engine_gives_memory_back_until_it_has_nothing_new_to_give(
    tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Semaphore(0)
    monkeypatch.setattr("wraner.workers._TIDY_S", 0.01)
    monkeypatch.setattr("wraner.workers.give_back", given.release)
    engine = LocalEngine(tiny_model)
    for _ in range(2):
        asyncio.run(engine.generate([request("a b")]))
        assert given.acquire(timeout=60)
        while given.acquire(timeout=0.2):  # while it was at work
            pass
        assert not given.acquire(timeout=0.3)
    engine.close()


def test_a_closed_engine_says_so(tiny_model: LanguageModel) -> None:
    engine = LocalEngine(tiny_model)
    assert engine.alive
    engine.close()
    assert not engine.alive
    with pytest.raises(Unavailable):
        asyncio.run(engine.generate([request("a b")]))


def test_long_labels_leave_room_for_the_prompt(tiny_engine: LocalEngine) -> None:
    labels = ("l" * 100, "m" * 100)
    prompt = Prompt("find", (), "a b c d e f g h i j k l m n o p q r s t")
    (answer,) = asyncio.run(
        tiny_engine.generate([GenerateRequest(prompt, AnswerSpec(labels, prompt.text))])
    )
    assert answer.lines or answer.truncated
