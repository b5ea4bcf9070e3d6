"""The engine on this machine: a queue in front of one transformers model.

Requests of all callers queue together; one thread owns the model, takes what shares a verb and an
adapter up to a token budget, and answers each on its own. Batching lives here and nowhere else.
Implements `wraner.engine.Engine`.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from wraner.chat import EncodedPrompt
from wraner.decode import Row, grow, weigh
from wraner.engine import Answer, GenerateRequest, ModelInfo, ScoreRequest, Scores
from wraner.errors import DeadlineExceeded, Overloaded, Unavailable
from wraner.grammar import GrowingAnswer
from wraner.language_model import LanguageModel


@dataclass(frozen=True)
class BatchLimits:
    """How requests are put together.

    `batch_tokens` bounds rows times the longest row, padding included. `queue_tokens` of waiting
    prompts is a full queue. `wait_s` is how long the first of a batch waits for company.
    """

    batch_tokens: int = 8192
    queue_tokens: int = 200_000
    wait_s: float = 0.004


@dataclass(eq=False)
class _Job:
    request: GenerateRequest | ScoreRequest
    prompt: EncodedPrompt
    options: list[list[int]]
    answered: "Future[Any]" = field(default_factory=Future)

    @property
    def kind(self) -> tuple[type, str]:
        return type(self.request), self.request.adapter

    @property
    def tokens(self) -> int:
        return len(self.prompt.ids)

    def abandoned(self) -> bool:
        return self.answered.cancelled() or time.time() > self.request.deadline


class LocalEngine:
    """Answers from a model in this process; call `close` when done."""

    def __init__(self, model: LanguageModel, limits: BatchLimits | None = None) -> None:
        self._model = model
        self._limits = limits or BatchLimits()
        self._jobs: list[_Job] = []
        self._ready = threading.Condition()
        self._closed = False
        self._tokens_per_s = 500.0
        self._thread = threading.Thread(target=self._serve, name="engine", daemon=True)
        self._thread.start()

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Answer]:
        """See `Engine.generate`."""
        return await self._ask(requests)

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        """See `Engine.score`."""
        return await self._ask(requests)

    async def info(self) -> ModelInfo:
        """See `Engine.info`."""
        return ModelInfo(self._model.base.identity, self._model.loaded_adapters)

    def close(self) -> None:
        """Let the batch in progress end, refuse what still waits."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether the thread that owns the model runs."""
        return self._thread.is_alive()

    async def _ask(self, requests: Sequence[GenerateRequest | ScoreRequest]) -> list[Any]:
        self._check_queue()
        jobs = await asyncio.to_thread(lambda: [self._encode(r) for r in requests])
        with self._ready:
            if self._closed:
                raise Unavailable("the engine is shutting down; ask another replica")
            self._jobs.extend(jobs)
            self._ready.notify()
        try:
            return list(await asyncio.gather(*(asyncio.wrap_future(j.answered) for j in jobs)))
        finally:
            for job in jobs:
                job.answered.cancel()

    def _check_queue(self) -> None:
        with self._ready:
            waiting = sum(job.tokens for job in self._jobs)
        if waiting > self._limits.queue_tokens:
            raise Overloaded(
                f"{waiting} tokens of prompts are waiting, the limit is "
                f"{self._limits.queue_tokens}; try again later",
                retry_after_s=waiting / self._tokens_per_s,
            )

    def _encode(self, request: GenerateRequest | ScoreRequest) -> _Job:
        chat = self._model.chat
        if isinstance(request, ScoreRequest):
            options = [chat.text_ids(words) for words in request.continuations]
            room = max(len(option) for option in options)
        else:
            options, room = [], self._answer_tokens(request)
        prompt = chat.encode(request.prompt, max_tokens=self._model.context_tokens - room)
        return _Job(request, prompt, options)

    def _answer_tokens(self, request: GenerateRequest) -> int:
        """Return a limit that only a runaway answer meets: every word an entity of its own."""
        label = max(len(self._model.chat.text_ids(name)) for name in request.spec.labels)
        text = len(self._model.chat.text_ids(request.spec.flat.flat))
        return 8 + text + (label + 4) * max(4, len(request.spec.flat.starts) // 2)

    def _serve(self) -> None:
        while batch := self._next_batch():
            began = time.monotonic()
            _run(batch, self._generate if _is_generate(batch[0]) else self._score)
            done = sum(job.tokens for job in batch)
            pace = done / max(time.monotonic() - began, 1e-3)
            self._tokens_per_s += 0.2 * (pace - self._tokens_per_s)

    def _next_batch(self) -> list[_Job]:
        with self._ready:
            self._ready.wait_for(lambda: self._jobs or self._closed)
            if not self._closed and len(self._jobs) == 1:
                self._ready.wait(self._limits.wait_s)
            if self._closed:
                _refuse(self._jobs, Unavailable("the engine is shutting down"))
                return []
            batch = self._take()
            self._jobs = [job for job in self._jobs if job not in batch]
            return batch

    def _take(self) -> list[_Job]:
        """Return the oldest job and those behind it that may share its batch."""
        batch: list[_Job] = []
        longest = 0
        for job in self._jobs:
            if batch and job.kind != batch[0].kind:
                continue
            rows = len(batch) + 1
            if batch and rows * max(longest, job.tokens) > self._limits.batch_tokens:
                continue
            batch.append(job)
            longest = max(longest, job.tokens)
        return batch

    def _generate(self, jobs: Sequence[_Job]) -> list[Any]:
        rows = []
        for job in jobs:
            assert isinstance(job.request, GenerateRequest)
            limit = self._answer_tokens(job.request)
            answer = GrowingAnswer(self._model.grammar, job.request.spec, max_tokens=limit)
            rows.append(Row(job.prompt.ids, answer, job.abandoned))
        with self._model.adapted(jobs[0].request.adapter) as model:
            grow(model, rows, pad=self._model.pad)
        return [
            Answer(tuple(r.answer.lines), j.prompt.examples_used, r.answer.truncated)
            for r, j in zip(rows, jobs, strict=True)
        ]

    def _score(self, jobs: Sequence[_Job]) -> list[Any]:
        with self._model.adapted(jobs[0].request.adapter) as model:
            weighed = weigh(
                model, [j.prompt.ids for j in jobs], [j.options for j in jobs], pad=self._model.pad
            )
        return [
            Scores(logprobs, job.prompt.examples_used)
            for logprobs, job in zip(weighed, jobs, strict=True)
        ]


def _is_generate(job: _Job) -> bool:
    return isinstance(job.request, GenerateRequest)


def _run(batch: Sequence[_Job], answer: Callable[[Sequence[_Job]], list[Any]]) -> None:
    """Answer a batch; whoever gave up or ran out of time is told so, and costs nothing."""
    late = [job for job in batch if job.abandoned()]
    _refuse(late, DeadlineExceeded("the request's time was up before the model was free"))
    jobs = [job for job in batch if job not in late]
    if not jobs:
        return
    try:
        results = answer(jobs)
    except Exception as error:  # becomes the answer of the request that caused it
        if len(jobs) == 1:
            _refuse(jobs, error)
        for job in jobs if len(jobs) > 1 else ():
            _run([job], answer)
        return
    for job, result in zip(jobs, results, strict=True):
        if job.abandoned():
            _refuse([job], DeadlineExceeded("the request's time was up before its answer ended"))
        elif job.answered.set_running_or_notify_cancel():
            job.answered.set_result(result)


def _refuse(jobs: Sequence[_Job], error: Exception) -> None:
    for job in jobs:
        if job.answered.set_running_or_notify_cancel():
            job.answered.set_exception(error)
