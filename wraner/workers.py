"""The engine's workers: threads that carry the rows of waiting requests through the model.

Two threads of one product wait for each other some hundred times a step, at sizes where a product
takes less time than waking up. So each worker computes rows of its own, as far as others have work
on the processors that the machine has; one that works alone has them all. Knows no caller.
"""

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from wraner.blocks import Blocks, Key
from wraner.decode import Decoder, Row
from wraner.errors import DeadlineExceeded, Unavailable
from wraner.jobs import Job, refuse
from wraner.language_model import LanguageModel
from wraner.trimming import give_back
from wraner.waiting import Waiting

# So often what the engine has freed is given back to the machine, if it has worked since.
_TIDY_S = 10.0

# More than so many would wait for Python's lock.
_MOST = 4


@dataclass(frozen=True)
class BatchLimits:
    """How requests are put together.

    At most `rows` answers of an adapter grow at once with each worker. What joins them between two
    steps is bounded by `join_tokens` of prompt that no cache holds, at least one prompt. What
    recurs is computed `batch_tokens` at a time and kept up to `cache_bytes`. `queue_tokens` of
    waiting prompts is a full queue; a call, which others take turns with, counts as a quarter of it
    at most.
    """

    rows: int = 8
    join_tokens: int = 2048
    batch_tokens: int = 2048
    queue_tokens: int = 200_000
    cache_bytes: int = 384 * 2**20


class Desk:
    """What all workers share: the model, what it remembers, and who waits.

    `ready` guards all but the model and the blocks, and tells of new work.
    """

    def __init__(self, model: LanguageModel, limits: BatchLimits, threads: int) -> None:
        self.model = model
        self.limits = limits
        self.threads = threads
        self.blocks = Blocks(model.rotation, limit_bytes=limits.cache_bytes)
        self.waiting: Waiting[Job] = Waiting()
        self.ready = threading.Condition()
        self.closed = False
        self.tokens_per_s = 500.0
        self.idle = 0
        self.workers: tuple[Worker, ...] = ()
        self._tidied, self._untidy = time.monotonic(), False

    def employ(self) -> None:
        """Start the workers: one where a GPU computes."""
        count = min(self.threads, _MOST) if self.model.model.device.type == "cpu" else 1
        self.workers = tuple(Worker(self, number) for number in range(count))
        for worker in self.workers:
            worker.thread.start()

    def rest(self) -> float | None:
        """Return for how long an idle worker may sleep."""
        return _TIDY_S if self._untidy else None

    def tidy(self, *, busy: bool) -> None:
        """Give memory back, if a worker was busy since it was done and it is time."""
        with self.ready:
            self._untidy = self._untidy or busy
            due = self._untidy and time.monotonic() - self._tidied >= _TIDY_S
            if due:
                self._tidied, self._untidy = time.monotonic(), False
        if due:
            give_back()

    def take(self, worker: "Worker", adapter: str, room: int) -> tuple[list[Job], int]:
        """Return the jobs that join a worker now, and on how many threads it computes.

        There are rows free for them, and not too much to compute first. Others who have nothing to
        do get their share.
        """
        spent = 0
        free = room
        begun: set[Key] = set()

        def fits(job: Job) -> bool:
            nonlocal spent, free
            missing = self.blocks.missing(adapter, job.prompt) - begun
            cost = len(job.prompt.query) + sum(len(key.tokens) for key in missing)
            rows = max(1, len(job.groups))
            if (spent and spent + cost > self.limits.join_tokens) or rows > free:
                return False
            spent, free = spent + cost, free - rows
            begun.update(missing)
            return True

        with self.ready:
            late = self.waiting.take_abandoned()
            count = self.waiting.count(adapter)
            share = 0 if worker.jobs and self.idle else -(-count // (1 + self.idle))
            jobs = self.waiting.take(adapter, most=min(room, share), fits=fits)
            others = min(self.idle, len(self.waiting))
            busy = len(self.workers) - self.idle + others
        refuse(late, DeadlineExceeded("the request's time was up before the model was free"))
        return jobs, max(1, self.threads // busy)


class Worker:
    """A thread that carries rows on, between whose steps others join.

    `jobs` are those that its rows belong to.
    """

    def __init__(self, desk: Desk, number: int) -> None:
        self._desk = desk
        self._decoders: dict[str, Decoder] = {}
        self._busy = False
        self.jobs: dict[Row, Job] = {}
        self.thread = threading.Thread(target=self._serve, name=f"engine-{number}", daemon=True)

    def _serve(self) -> None:
        # Asked for its number of threads, torch first takes over the one that was last set anywhere
        # in the process, but only once a thread.
        torch.get_num_threads()
        desk = self._desk
        while True:
            with desk.ready:
                desk.idle += 1
                busy = desk.ready.wait_for(
                    lambda: bool(desk.waiting or self.jobs or desk.closed), timeout=desk.rest()
                )
                desk.idle -= 1
                if desk.closed:
                    break
                adapters = dict.fromkeys([*self._decoders, *desk.waiting.adapters()])
            for adapter in adapters:
                self._carry_on(adapter)
            desk.tidy(busy=busy)
        with desk.ready:
            left = {*desk.waiting.clear(), *self.jobs.values()}
        refuse(left, Unavailable("the engine is shutting down"))

    def _carry_on(self, adapter: str) -> None:
        """Let waiting rows of one adapter join, and carry those at work a step further."""
        desk = self._desk
        decoder = self._decoders.get(adapter)
        if decoder is None:
            decoder = Decoder(desk.model.chat.text_ids, rows=desk.limits.rows)
        jobs, threads = desk.take(self, adapter, decoder.room)
        if decoder.idle and not jobs:
            return
        self._decoders[adapter] = decoder
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        began = time.monotonic()
        try:
            model = desk.model.adapted(adapter)
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
            desk.tokens_per_s += 0.1 * (pace - desk.tokens_per_s)

    def _join(self, model: Any, decoder: Decoder, adapter: str, jobs: Sequence[Job]) -> None:
        rows: list[Row] = []
        for job in jobs:
            try:
                begun = job.begin(self._desk.model.grammar)
            except Exception as error:  # one request's own fault
                refuse([job], error)
                continue
            if begun[0].needs_model:
                rows += begun
                self.jobs.update(dict.fromkeys(begun, job))
            else:  # nothing to name in this text
                job.answer()
        if rows:
            limit = self._desk.limits.batch_tokens
            decoder.join(model, self._desk.blocks, adapter, rows, batch_tokens=limit)

    def _settle(self, finished: Iterable[Row]) -> None:
        """Answer the jobs whose rows are all finished."""
        for row in finished:
            job = self.jobs.pop(row)
            if not any(other in self.jobs for other in job.rows):
                job.answer()

    def _fail(self, decoder: Decoder, jobs: Sequence[Job], error: Exception) -> None:
        touched = [row for row, job in self.jobs.items() if row in decoder or job in jobs]
        refuse({*jobs, *(self.jobs.pop(row) for row in touched)}, error)
