import asyncio
import time
from collections.abc import Sequence
from threading import Event
from typing import Any

import pytest
import torch

from wraner.answers import AnswerSpec
from wraner.engine import GenerateRequest, ScoreRequest
from wraner.jobs import Job
from wraner.language_model import LanguageModel
from wraner.local import LocalEngine
from wraner.prompts import Prompt
from wraner.workers import BatchLimits, Desk, Worker


def asking(model: LanguageModel, text: str, adapter: str = "", *, until: float = 1e12) -> Job:
    request = ScoreRequest(Prompt("judge", (), text), ("yes",), adapter, until)
    prompt = model.chat.encode(request.prompt, max_tokens=999)
    option = model.chat.text_ids("yes")
    return Job(request, prompt, [option], [[option]], 1, 0)


def desk(model: LanguageModel, *, threads: int, idle: int, **limits: int) -> tuple[Desk, Worker]:
    """Return a desk whose workers do not run, so many of them idle, and one who is not."""
    made = Desk(model, BatchLimits(**limits), threads)
    made.workers = tuple(Worker(made, number) for number in range(threads))
    made.idle = idle
    return made, made.workers[0]


@pytest.mark.parametrize(
    ("waiting", "idle", "taken", "threads"),
    [
        (6, 1, 3, 1),  # the other one takes the rest
        (1, 1, 1, 2),  # nothing is left for the other one
        (6, 0, 6, 1),
        (20, 0, 8, 1),  # no more rows than there are
        (20, 1, 8, 1),
    ],
)
def test_what_waits_is_shared_with_who_is_idle(
    tiny_model: LanguageModel, waiting: int, idle: int, taken: int, threads: int
) -> None:
    shared, worker = desk(tiny_model, threads=2, idle=idle)
    jobs = [asking(tiny_model, f"text {n}") for n in range(waiting)]
    shared.waiting.add(jobs)
    assert shared.take(worker, "", 8) == (jobs[:taken], threads)
    assert shared.waiting.count("") == waiting - taken


def test_who_is_at_work_leaves_new_work_to_who_is_idle(tiny_model: LanguageModel) -> None:
    shared, worker = desk(tiny_model, threads=4, idle=1)
    begun, waiting = asking(tiny_model, "a"), asking(tiny_model, "b")
    worker.jobs = dict.fromkeys(begun.begin(tiny_model.grammar), begun)
    shared.waiting.add([waiting])
    assert shared.take(worker, "", 7) == ([], 1), "all four are about to compute"
    shared.idle = 0
    assert shared.take(worker, "", 7) == ([waiting], 1)
    shared.idle = 2
    assert shared.take(worker, "", 7) == ([], 2), "two of four compute, on two threads each"


def test_each_takes_what_is_asked_of_its_adapter(tiny_model: LanguageModel) -> None:
    shared, worker = desk(tiny_model, threads=2, idle=1)
    one, other, late = (asking(tiny_model, text, text) for text in ("one", "other", "late"))
    gone = asking(tiny_model, "gone", "one", until=time.time() - 1)
    for job in (one, other, late, gone):
        shared.waiting.add([job])
    assert shared.take(worker, "one", 8) == ([one], 1), "who is idle takes another adapter's"
    assert gone.answered.exception() is not None
    assert shared.waiting.adapters() == ["other", "late"]


def test_a_gpu_has_one_worker(tiny_model: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    class OnGpu:
        device = torch.device("cuda")

    for model, count in ((tiny_model.model, 4), (OnGpu, 1)):
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


def test_answers_are_the_same_by_however_many_workers(tiny_model: LanguageModel) -> None:
    requests = [
        ScoreRequest(Prompt("judge " * (1 + n % 3), (), f"text {n}"), ("yes", "no"))
        for n in range(24)
    ]
    found = []
    for threads in (1, 3):
        engine = LocalEngine(tiny_model, BatchLimits(rows=2), threads=threads)
        found.append(asyncio.run(engine.score(requests)))
        engine.close()
    for one, other in zip(*found, strict=True):
        assert one.logprobs == pytest.approx(other.logprobs, rel=1e-5)
