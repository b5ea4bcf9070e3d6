"""The engine on this machine: a queue in front of one transformers model.

Requests of all callers wait together; `workers` let rows join the work between steps, so a short
request never waits for a long one's end. Batching lives there and in `decode`, and nowhere else.
Implements `wraner.engine.Engine`.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import torch

from wraner.answers import AnswerSpec
from wraner.chat import ChatEncoder
from wraner.engine import Answer, GenerateRequest, ModelInfo, ScoreRequest, Scores
from wraner.errors import InvalidInput, Overloaded, Unavailable
from wraner.jobs import Job, by_beginning, unfitting
from wraner.language_model import LanguageModel
from wraner.wanted import while_wanted
from wraner.workers import BatchLimits, Desk

_LARGEST_CALLS = 4  # so many of the largest calls fill the queue


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
        """Start the workers, who compute on `threads` threads together, None: torch's own.

        Where another thread of the process computes on several threads too, even while loading,
        OpenMP lets both teams sleep between any two operations: a third of the speed is lost.
        """
        self._model = model
        self._desk = Desk(model, limits or BatchLimits(), threads or torch.get_num_threads())
        self._desk.employ()

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
        """End the steps in progress, refuse everything that is not answered yet."""
        with self._desk.ready:
            self._desk.closed = True
            self._desk.ready.notify_all()
        for worker in self._desk.workers:
            worker.thread.join()

    @property
    def alive(self) -> bool:
        """Whether all threads that compute run."""
        return all(worker.thread.is_alive() for worker in self._desk.workers)

    async def _ask(self, requests: Sequence[GenerateRequest | ScoreRequest]) -> list[Any]:
        desk = self._desk
        with desk.ready:
            self._check_room()
        jobs = await while_wanted(lambda left: [self._encode(r) for r in left], requests)
        with desk.ready:
            if desk.closed or not self.alive:
                raise Unavailable("the engine has stopped or is shutting down; ask another replica")
            self._check_room()
            desk.waiting.add(job for job in jobs if not job.answered.done())
            desk.ready.notify_all()
        try:
            return list(await asyncio.gather(*(asyncio.wrap_future(j.answered) for j in jobs)))
        finally:
            for job in jobs:
                job.answered.cancel()

    def _check_room(self) -> None:
        limit, waiting = self._desk.limits.queue_tokens, self._desk.waiting.loads()
        if sum(min(tokens, limit / _LARGEST_CALLS) for tokens in waiting) > limit:
            raise Overloaded(
                f"{sum(waiting)} tokens of prompts are waiting in {len(waiting)} calls, the limit "
                f"is {limit}, a quarter of it for one call; try again later",
                retry_after_s=sum(waiting) / self._desk.tokens_per_s,
            )

    def _encode(self, request: GenerateRequest | ScoreRequest) -> Job:
        chat = self._model.chat
        if isinstance(request, ScoreRequest):
            options = [chat.text_ids(words) for words in request.continuations]
            room = max(len(option) for option in options)
        else:
            options, room = [], self._answer_tokens(request)
        groups = by_beginning(options)
        rows = self._desk.limits.rows
        if len(groups) > rows:
            raise InvalidInput(
                f"expected continuations with at most {rows} different beginnings, "
                f"was: {len(groups)}; ask in several requests"
            )
        try:
            prompt = chat.encode(request.prompt, max_tokens=self._model.context_tokens - room)
        except InvalidInput:
            if isinstance(request, ScoreRequest) and request.dispensable:
                return unfitting(request)
            raise
        used = len(prompt.examples)
        judging = isinstance(request, ScoreRequest)
        viewed = prompt.viewed(self._model.view(request.adapter, judging=judging))
        return Job(request, viewed, options, groups, room, used)

    def _answer_tokens(self, request: GenerateRequest) -> int:
        return answer_room(self._model.chat, request.spec, context=self._model.context_tokens)
