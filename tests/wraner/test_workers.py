import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from wraner.answers import AnswerSpec
from wraner.engine import GenerateRequest, ScoreRequest
from wraner.errors import Unavailable
from wraner.jobs import Job
from wraner.language_model import LanguageModel
from wraner.local import LocalEngine
from wraner.prompts import Prompt
from wraner.workers import BatchLimits, Desk, Worker


def asking(model: LanguageModel, text: str, adapter: str = "", *, until: float = 1e12) -> Job:
    request = ScoreRequest(Prompt("judge", (), text), ("yes",), adapter, until)
    prompt = model.chat.encode(request.prompt, max_tokens=2000)
    option = model.chat.text_ids("yes")
    return Job(request, prompt, [option], [[option]], 1, 0)


def desk(model: LanguageModel, *, threads: int, idle: int, **limits: int) -> tuple[Desk, Worker]:
    """Return a desk whose workers do not run, so many of them idle, and one who is not."""
    made = Desk(model, BatchLimits(**limits), threads)
    made.workers = tuple(Worker(made, number) for number in range(threads))
    for other in made.workers[1 + idle :]:
        other.busy = True
    return made, made.workers[0]


@pytest.mark.parametrize(
    ("waiting", "idle", "taken", "threads"),
    [
        (6, 1, 3, 1),  # the other one takes the rest
        (1, 1, 1, 2),  # nothing is left for the other one
        (6, 0, 6, 1),
        (20, 0, 8, 1),  # no more rows than there are
        (20, 1, 8, 1),
        (0, 1, 0, 2),
    ],
)
def test_what_waits_is_shared_with_who_is_idle(
    tiny_model: LanguageModel, waiting: int, idle: int, taken: int, threads: int
) -> None:
    shared, worker = desk(tiny_model, threads=2, idle=idle)
    jobs = [asking(tiny_model, f"text {n}") for n in range(waiting)]
    shared.waiting.add(jobs)
    assert shared.take(worker, "", 8) == (jobs[:taken], threads)
    assert len(shared.waiting) == waiting - taken and worker.busy == bool(taken)


def test_who_is_at_work_leaves_new_work_to_who_is_idle(tiny_model: LanguageModel) -> None:
    shared, worker = desk(tiny_model, threads=4, idle=1)
    begun, waiting = asking(tiny_model, "a"), asking(tiny_model, "b")
    worker.jobs = dict.fromkeys(begun.begin(tiny_model.grammar), begun)
    shared.waiting.add([waiting])
    assert shared.take(worker, "", 7) == ([], 1), "all four are about to compute"
    shared.workers[1].busy = True
    assert shared.take(worker, "", 7) == ([waiting], 1)
    assert shared.take(shared.workers[2], "", 8) == ([], 1), "three of four, and it is the first"


@pytest.mark.parametrize(("threads", "parts"), [(3, (2, 1)), (5, (3, 2)), (7, (4, 3)), (1, (1, 1))])
def test_all_threads_are_used(
    tiny_model: LanguageModel, threads: int, parts: tuple[int, int]
) -> None:
    shared, one = desk(tiny_model, threads=2, idle=0)
    shared.threads = threads
    found = []
    for worker in shared.workers:
        shared.waiting.add([asking(tiny_model, "a")])
        found.append(shared.take(worker, "", 8)[1])
    assert tuple(found) == parts and one.busy


def test_what_none_remembers_is_computed_by_one(tiny_model: LanguageModel) -> None:
    shared, worker = desk(tiny_model, threads=2, idle=1)
    long = Prompt("judge " * 100, (), "a")
    jobs = []
    for text in ("a", "b", "c"):
        job = asking(tiny_model, text)
        job.prompt = tiny_model.chat.encode(replace(long, text=text), max_tokens=2000)
        jobs.append(job)
    shared.waiting.add(jobs)
    assert shared.take(worker, "", 8) == (jobs, 2)
    with torch.inference_mode():
        shared.blocks.begin(tiny_model.model, "", [jobs[0].prompt], batch_tokens=999, rows=1)
    shared.waiting.add(jobs)
    assert shared.take(worker, "", 8) == (jobs[:2], 1), "remembered, it is shared again"


def test_rows_of_all_workers_take_no_more_than_those_of_one_did(tiny_model: LanguageModel) -> None:
    shared, worker = desk(tiny_model, threads=2, idle=0, rows=4, join_tokens=9999)
    jobs = [asking(tiny_model, "word " * 300) for _ in range(4)]
    assert 1500 <= jobs[0].tokens < tiny_model.context_tokens
    shared.waiting.add(jobs)
    assert shared.take(worker, "", 4) == (jobs[:2], 1)


def test_each_takes_what_is_asked_of_its_adapter(tiny_model: LanguageModel) -> None:
    shared, worker = desk(tiny_model, threads=2, idle=1)
    one, other, late = (asking(tiny_model, text, text) for text in ("one", "other", "late"))
    gone = asking(tiny_model, "gone", "one", until=time.time() - 1)
    for job in (one, other, late, gone):
        shared.waiting.add([job])
    assert shared.take(worker, "one", 8) == ([one], 1), "who is idle takes another adapter's"
    assert gone.answered.exception() is not None
    assert shared.waiting.adapters() == ["other", "late"]
    shared.closed = True
    assert shared.take(worker, "other", 8) == ([], 1)


def test_a_gpu_and_a_model_that_must_run_alone_have_one_worker(
    tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    class OnGpu:
        device = torch.device("cuda")

    dynamic = SimpleNamespace(rope_parameters={"rope_type": "dynamic"})
    scaled = SimpleNamespace(device=torch.device("cpu"), config=dynamic)
    for model, count in ((tiny_model.model, 4), (OnGpu, 1), (scaled, 1)):
        monkeypatch.setattr(tiny_model, "model", model)
        engine = LocalEngine(tiny_model, threads=6)
        assert len(engine._desk.workers) == count and engine.alive
        engine.close()
        assert not engine.alive


def test_two_calls_are_answered_side_by_side(
    tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither can end before both have begun."""
    begun: list[Sequence[str]] = []
    both, run = Event(), Worker._join

    def joining(worker: Worker, model: Any, decoder: Any, adapter: str, jobs: Any) -> None:
        begun.append([job.request.prompt.text for job in jobs])
        if len(begun) == 2:
            both.set()
        assert both.wait(timeout=60)
        run(worker, model, decoder, adapter, jobs)

    monkeypatch.setattr(Worker, "_join", joining)
    engine = LocalEngine(tiny_model, threads=2)

    async def ask() -> None:
        texts = [f"Bob {n}" for n in range(5)]
        requests = [GenerateRequest(Prompt("find", (), t), AnswerSpec(("city",), t)) for t in texts]
        await engine.generate(requests)

    asyncio.run(ask())
    engine.close()
    assert sorted(map(len, begun)) == [2, 3]


@pytest.mark.parametrize("place", ["take", "learn"])
def test_an_engine_that_loses_a_worker_refuses_all_that_it_has(
    tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def broken(*_: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(Desk, place, broken)
    monkeypatch.setattr("threading.excepthook", lambda _: None)
    engine = LocalEngine(tiny_model, threads=2)
    spec = AnswerSpec(("city",), "Bob Ray met Ann Lee")
    request = GenerateRequest(Prompt("find", (), spec.text), spec)

    async def ask() -> list[Any]:
        calls = [engine.generate([request]) for _ in range(6)]
        return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 60)

    found = asyncio.run(ask())
    assert any(isinstance(answer, Unavailable) for answer in found)
    for worker in engine._desk.workers:
        worker.thread.join(timeout=60)
    assert not engine.alive
    with pytest.raises(Unavailable):
        asyncio.run(engine.generate([request]))
    engine.close()


def test_answers_are_the_same_by_however_many_workers(
    tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [
        ScoreRequest(Prompt("judge " * (1 + n % 3), (), f"text {n}"), ("yes", "no"))
        for n in range(24)
    ]
    found: list[Any] = []
    took: set[Worker] = set()
    take = Desk.take

    def taking(desk: Desk, worker: Worker, *given: Any) -> Any:
        jobs, threads = take(desk, worker, *given)
        took.update([worker] if jobs else [])
        return jobs, threads

    monkeypatch.setattr(Desk, "take", taking)
    for threads in (1, 3):
        took.clear()
        engine = LocalEngine(tiny_model, BatchLimits(rows=2), threads=threads)
        found.append(asyncio.run(engine.score(requests)))
        engine.close()
        assert len(took) == threads
    for one, other in zip(*found, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, rel=1e-5)
