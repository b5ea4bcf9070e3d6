"""The engine on this machine: a queue in front of one transformers model.

Requests of all callers wait together; one thread owns the model and lets rows join the work between
steps, so a short request never waits for a long one's end. Batching lives here and in `decode`, and
nowhere else. Implements `wraner.engine.Engine`.
"""

import asyncio
import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import torch

from wraner.answers import AnswerSpec
from wraner.blocks import Blocks, Key
from wraner.chat import ChatEncoder, EncodedPrompt, Ids
from wraner.decode import Decoder, Row
from wraner.engine import Answer, GenerateRequest, ModelInfo, ScoreRequest, Scores
from wraner.errors import DeadlineExceeded, InvalidInput, Overloaded, Unavailable
from wraner.grammar import GrowingAnswer
from wraner.language_model import LanguageModel
from wraner.trimming import give_back
from wraner.waiting import Waiting
from wraner.wanted import while_wanted

# So often what the engine has freed is given back to the machine, if it has worked since.
_TIDY_S = 10.0

_LARGEST_CALLS = 4  # so many of the largest calls fill the queue


@dataclass(frozen=True)
class BatchLimits:
    """How requests are put together.

    At most `rows` answers of an adapter grow at once. What joins them between two steps is bounded
    by `join_tokens` of prompt that no cache holds, at least one prompt. What recurs is computed
    `batch_tokens` at a time and kept up to `cache_bytes`. `queue_tokens` of waiting prompts is a
    full queue; a call, which others take turns with, counts as a quarter of it at most.
    """

    rows: int = 8
    join_tokens: int = 2048
    batch_tokens: int = 2048
    queue_tokens: int = 200_000
    cache_bytes: int = 384 * 2**20


@dataclass(eq=False)
class _Job:
    request: GenerateRequest | ScoreRequest
    prompt: EncodedPrompt
    options: list[Ids]
    groups: list[list[Ids]]
    answer_tokens: int
    examples_used: int
    answered: "Future[Any]" = field(default_factory=Future)
    rows: list[Row] = field(default_factory=list)

    @property
    def adapter(self) -> str:
        return self.request.adapter

    @property
    def tokens(self) -> int:
        return self.prompt.tokens

    def abandoned(self) -> bool:
        return self.answered.cancelled() or time.time() > self.request.deadline


def answer_room(chat: ChatEncoder, spec: AnswerSpec, *, context: int) -> int:
    """Return how many tokens are kept free for an answer: every other word an entity.

    Long labels leave half the context to the prompt; an answer that is cut says so.
    """
    label = max(len(chat.text_ids(name)) for name in spec.labels)
    text = len(chat.text_ids(spec.flat.flat))
    return min(8 + text + (label + 4) * len(spec.flat.starts), context // 2)


class LocalEngine:
    """Answers from a model in this process; call `close` when done."""

    def __init__(
        self, model: LanguageModel, limits: BatchLimits | None = None, *, threads: int | None = None
    ) -> None:
        """Start the thread that owns `model`; it computes on `threads` threads, None: torch's own.

        Where another thread of the process computes on several threads too, even while loading,
        OpenMP lets both teams sleep between any two operations: a third of the speed is lost.
        """
        self._model = model
        self._limits = limits or BatchLimits()
        self._waiting: Waiting[_Job] = Waiting()
        self._ready = threading.Condition()
        self._closed = False
        self._tokens_per_s = 500.0
        self._blocks = Blocks(model.rotation, limit_bytes=self._limits.cache_bytes)
        self._decoders: dict[str, Decoder] = {}
        self._jobs: dict[Row, _Job] = {}
        self._threads = threads or torch.get_num_threads()
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
        """End the step in progress, refuse everything that is not answered yet."""
        with self._ready:
            self._closed = True
            self._ready.notify()
        self._thread.join()

    @property
    def alive(self) -> bool:
        """Whether the thread that owns the model runs."""
        return self._thread.is_alive()

    async def _ask(self, requests: Sequence[GenerateRequest | ScoreRequest]) -> list[Any]:
        with self._ready:
            self._check_room()
        jobs = await while_wanted(lambda left: [self._encode(r) for r in left], requests)
        with self._ready:
            if self._closed or not self.alive:
                raise Unavailable("the engine has stopped or is shutting down; ask another replica")
            self._check_room()
            self._waiting.add(job for job in jobs if not job.answered.done())
            self._ready.notify()
        try:
            return list(await asyncio.gather(*(asyncio.wrap_future(j.answered) for j in jobs)))
        finally:
            for job in jobs:
                job.answered.cancel()

    def _check_room(self) -> None:
        limit, waiting = self._limits.queue_tokens, self._waiting.loads()
        if sum(min(tokens, limit / _LARGEST_CALLS) for tokens in waiting) > limit:
            raise Overloaded(
                f"{sum(waiting)} tokens of prompts are waiting in {len(waiting)} calls, the limit "
                f"is {limit}, a quarter of it for one call; try again later",
                retry_after_s=sum(waiting) / self._tokens_per_s,
            )

    def _encode(self, request: GenerateRequest | ScoreRequest) -> _Job:
        chat = self._model.chat
        if isinstance(request, ScoreRequest):
            options = [chat.text_ids(words) for words in request.continuations]
            room = max(len(option) for option in options)
        else:
            options, room = [], self._answer_tokens(request)
        groups = _by_beginning(options)
        if len(groups) > self._limits.rows:
            raise InvalidInput(
                f"expected continuations with at most {self._limits.rows} different beginnings, "
                f"was: {len(groups)}; ask in several requests"
            )
        try:
            prompt = chat.encode(request.prompt, max_tokens=self._model.context_tokens - room)
        except InvalidInput:
            if isinstance(request, ScoreRequest) and request.dispensable:
                return _unfitting(request)
            raise
        used = len(prompt.examples)
        judging = isinstance(request, ScoreRequest)
        viewed = prompt.viewed(self._model.view(request.adapter, judging=judging))
        return _Job(request, viewed, options, groups, room, used)

    def _answer_tokens(self, request: GenerateRequest) -> int:
        return answer_room(self._model.chat, request.spec, context=self._model.context_tokens)

    def _serve(self) -> None:
        # Asked for its number of threads, torch first takes over the one that was last set anywhere
        # in the process, but only once a thread.
        if torch.get_num_threads() != self._threads:
            torch.set_num_threads(self._threads)
        tidied, untidy = time.monotonic(), False
        while True:
            with self._ready:
                busy = self._ready.wait_for(
                    lambda: bool(self._waiting or self._jobs or self._closed),
                    timeout=_TIDY_S if untidy else None,
                )
                if self._closed:
                    break
                adapters = dict.fromkeys([*self._decoders, *self._waiting.adapters()])
            for adapter in adapters:
                self._carry_on(adapter)
            untidy = untidy or busy
            if untidy and time.monotonic() - tidied >= _TIDY_S:
                give_back()
                tidied, untidy = time.monotonic(), False
        with self._ready:
            left = {*self._waiting.clear(), *self._jobs.values()}
        _refuse(left, Unavailable("the engine is shutting down"))

    def _carry_on(self, adapter: str) -> None:
        """Let waiting rows of one adapter join, and carry those at work a step further."""
        decoder = self._decoders.setdefault(
            adapter, Decoder(self._model.chat.text_ids, rows=self._limits.rows)
        )
        jobs = self._take(adapter, decoder.room)
        began = time.monotonic()
        try:
            model = self._model.adapted(adapter)
            if jobs:
                self._join(model, decoder, adapter, jobs)
            if not decoder.idle:
                self._settle(decoder.step(model))
        except Exception as error:  # becomes the answer of all that it may have touched
            self._fail(decoder, jobs, error)
            del self._decoders[adapter]
            return
        if decoder.idle:
            del self._decoders[adapter]
        if jobs:
            pace = sum(job.tokens for job in jobs) / max(time.monotonic() - began, 1e-3)
            self._tokens_per_s += 0.1 * (pace - self._tokens_per_s)

    def _take(self, adapter: str, room: int) -> list[_Job]:
        """Return the jobs that may join now: enough free rows, not too much to compute first."""
        spent = 0
        free = room
        begun: set[Key] = set()

        def fits(job: _Job) -> bool:
            nonlocal spent, free
            missing = self._blocks.missing(adapter, job.prompt) - begun
            cost = len(job.prompt.query) + sum(len(key.tokens) for key in missing)
            rows = max(1, len(job.groups))
            if (spent and spent + cost > self._limits.join_tokens) or rows > free:
                return False
            spent, free = spent + cost, free - rows
            begun.update(missing)
            return True

        with self._ready:
            late = self._waiting.take_abandoned()
            jobs = self._waiting.take(adapter, most=room, fits=fits)
        _refuse(late, DeadlineExceeded("the request's time was up before the model was free"))
        return jobs

    def _join(self, model: Any, decoder: Decoder, adapter: str, jobs: Sequence[_Job]) -> None:
        rows: list[Row] = []
        for job in jobs:
            try:
                job.rows = self._rows_of(job)
            except Exception as error:  # one request's own fault
                _refuse([job], error)
                continue
            if job.rows[0].needs_model:
                rows += job.rows
                self._jobs.update(dict.fromkeys(job.rows, job))
            else:  # nothing to name in this text
                _answer(job)
        if rows:
            limit = self._limits.batch_tokens
            decoder.join(model, self._blocks, adapter, rows, batch_tokens=limit)

    def _rows_of(self, job: _Job) -> list[Row]:
        if isinstance(job.request, GenerateRequest):
            grammar, limit = self._model.grammar, job.answer_tokens
            answer = GrowingAnswer(grammar, job.request.spec, max_tokens=limit)
            return [Row(job.prompt, answer, (), job.abandoned)]
        return [Row(job.prompt, None, options, job.abandoned) for options in job.groups]

    def _settle(self, finished: Iterable[Row]) -> None:
        """Answer the jobs whose rows are all finished."""
        for row in finished:
            job = self._jobs.pop(row)
            if not any(other in self._jobs for other in job.rows):
                _answer(job)

    def _fail(self, decoder: Decoder, jobs: Sequence[_Job], error: Exception) -> None:
        touched = [row for row, job in self._jobs.items() if row in decoder or job in jobs]
        _refuse({*jobs, *(self._jobs.pop(row) for row in touched)}, error)


def _by_beginning(options: Sequence[Ids]) -> list[list[Ids]]:
    """Return the options in groups that are equal up to their last token."""
    groups: dict[Ids, list[Ids]] = {}
    for option in options:
        groups.setdefault(option[:-1], []).append(option)
    return list(groups.values())


def _answer(job: _Job) -> None:
    if job.abandoned():
        _refuse([job], DeadlineExceeded("the request's time was up before its answer ended"))
        return
    failed = next((row.error for row in job.rows if row.error is not None), None)
    if failed is not None:
        _refuse([job], failed)
        return
    result: Answer | Scores
    used = job.examples_used
    answer = job.rows[0].answer
    if answer is not None:
        result = Answer(tuple(answer.lines), used, answer.truncated)
    else:
        weighed = {
            option: logprob
            for row in job.rows
            for option, logprob in zip(row.options, row.logprobs, strict=True)
        }
        result = Scores(tuple(weighed[option] for option in job.options), used)
    if job.answered.set_running_or_notify_cancel():
        job.answered.set_result(result)


def _unfitting(request: ScoreRequest) -> _Job:
    job = _Job(request, EncodedPrompt((), (), ()), [], [], 0, 0)
    job.answered.set_result(Scores((), 0))
    return job


def _refuse(jobs: Iterable[_Job], error: Exception) -> None:
    for job in jobs:
        if not job.answered.done() and job.answered.set_running_or_notify_cancel():
            job.answered.set_exception(error)
