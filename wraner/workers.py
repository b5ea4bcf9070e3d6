"""The engine's workers: threads that carry the rows of waiting requests through the model.

Two threads of one product wait for each other some hundred times a step, at sizes where a product
takes less time than waking up. So each worker computes rows of its own, as far as others have work
on the processors that the machine has; one that works alone has them all. Knows no caller.
"""

import sys
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
_SWITCH_S = 0.0002


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

    `ready` guards all but the model and the blocks, and tells of new work. `tokens_per_s` is the
    pace of all threads together.
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
        self.workers: tuple[Worker, ...] = ()
        self._tidied, self._untidy = time.monotonic(), False

    def employ(self) -> None:
        """Start the workers: one where a GPU computes, or where the model must run alone."""
        alone = self.model.model.device.type != "cpu" or not self.model.runs_side_by_side
        count = 1 if alone else min(self.threads, _MOST)
        if count > 1:
            # They hand Python's lock to each other between any two operations. Waiting for it for
            # Python's own 5 ms costs a seventh of the speed.
            sys.setswitchinterval(min(sys.getswitchinterval(), _SWITCH_S))
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
        with self.ready:
            late = self.waiting.take_abandoned()
            idle = sum(not other.busy for other in self.workers if other is not worker)
            share = 0 if self.closed else self._share(worker, adapter, idle)
            fits = _Fitting(self, worker, adapter, room)
            jobs = self.waiting.take(adapter, most=min(room, share), fits=fits)
            worker.busy = bool(jobs or worker.jobs)
            threads = self._threads_of(worker, joining=min(idle, len(self.waiting)))
        refuse(late, DeadlineExceeded("the request's time was up before the model was free"))
        return jobs, threads

    def learn(self, tokens: int, seconds: float, threads: int) -> None:
        """Learn from so many tokens of prompts what the pace is."""
        pace = tokens / max(seconds, 1e-3) * self.threads / threads
        with self.ready:
            self.tokens_per_s += 0.1 * (pace - self.tokens_per_s)

    def _share(self, worker: "Worker", adapter: str, idle: int) -> int:
        """Return how many jobs are a worker's, beside so many others who are idle.

        A prefix that none remembers is not computed twice where it is longer than what waits.
        """
        jobs = self.waiting.of(adapter)
        if not jobs or (worker.jobs and idle):
            return 0
        missing = self.blocks.missing(adapter, jobs[0].prompt)
        prefix = sum(len(key.prefix) for key in missing if not key.example)
        if prefix and prefix > sum(len(job.prompt.query) for job in jobs):
            return len(jobs)
        return -(-len(jobs) // (1 + idle))

    def _threads_of(self, worker: "Worker", *, joining: int) -> int:
        """Return a worker's part of the threads, beside the busy and those who are about to be."""
        busy = [other for other in self.workers if other.busy and other is not worker]
        part, spare = divmod(self.threads, 1 + len(busy) + joining)
        first = sum(other.number < worker.number for other in busy) < spare
        return max(1, part + first)


class _Fitting:
    """Says of jobs, one after the other, whether they join a worker too.

    What all its rows may take is bounded as well: prompts as long as the model reads fill it.
    """

    def __init__(self, desk: Desk, worker: "Worker", adapter: str, room: int) -> None:
        self._desk = desk
        self._adapter = adapter
        self._free = room
        self._spent = 0
        self._begun: set[Key] = set()
        self._rows = len(worker.jobs)
        self._longest = max(map(_columns, worker.jobs.values()), default=0)
        context = desk.model.context_tokens
        self._most = desk.limits.rows * context // max(1, len(desk.workers))

    def __call__(self, job: Job) -> bool:
        missing = self._desk.blocks.missing(self._adapter, job.prompt) - self._begun
        cost = len(job.prompt.query) + sum(len(key.tokens) for key in missing)
        rows = max(1, len(job.groups))
        longest = max(self._longest, _columns(job))
        large = self._spent and self._spent + cost > self._desk.limits.join_tokens
        wide = self._rows and (self._rows + rows) * longest > self._most
        if large or wide or rows > self._free:
            return False
        self._spent, self._free = self._spent + cost, self._free - rows
        self._rows, self._longest = self._rows + rows, longest
        self._begun.update(missing)
        return True


def _columns(job: Job) -> int:
    return job.tokens + job.answer_tokens


class Worker:
    """A thread that carries rows on, between whose steps others join.

    `jobs` are those that its rows belong to; it is `busy` as long as there are any.
    """

    def __init__(self, desk: Desk, number: int) -> None:
        self._desk = desk
        self._decoders: dict[str, Decoder] = {}
        self.number = number
        self.busy = False
        self.jobs: dict[Row, Job] = {}
        self.thread = threading.Thread(target=self._serve, name=f"engine-{number}", daemon=True)

    def _serve(self) -> None:
        desk = self._desk
        try:
            # Asked for its number of threads, torch first takes over the one that was last set
            # anywhere in the process, but only once a thread.
            torch.get_num_threads()
            while self._turn():
                pass
        finally:  # an engine that has lost a worker answers nobody any more
            with desk.ready:
                desk.closed = True
                desk.ready.notify_all()
                left = {*desk.waiting.clear(), *self.jobs.values()}
            refuse(left, Unavailable("the engine is shutting down"))

    def _turn(self) -> bool:
        """Wait for work and carry it a step further; return whether to go on."""
        desk = self._desk
        with desk.ready:
            self.busy = bool(self.jobs)
            woken = desk.ready.wait_for(
                lambda: bool(desk.waiting or self.jobs or desk.closed), timeout=desk.rest()
            )
            if desk.closed:
                return False
            adapters = dict.fromkeys([*self._decoders, *desk.waiting.adapters()])
        for adapter in adapters:
            self._carry_on(adapter)
        desk.tidy(busy=woken)
        return True

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
            desk.learn(sum(job.tokens for job in jobs), time.monotonic() - began, threads)

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
