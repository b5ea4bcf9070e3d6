"""Who waits for the engine, in what order.

Calls take turns, so that one of many texts does not hold up one of a single text; within a call
the order is kept. Not made for several threads. Knows no model.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar


class Waits(Protocol):
    """What is needed of something that waits."""

    @property
    def adapter(self) -> str:
        """The adapter that it needs."""
        ...

    @property
    def tokens(self) -> int:
        """How large it is."""
        ...

    def abandoned(self) -> bool:
        """Whether nobody waits for it any more."""
        ...


W = TypeVar("W", bound=Waits)


class Waiting(Generic[W]):
    """Calls that wait, each a queue of jobs."""

    def __init__(self) -> None:
        self._calls: deque[deque[W]] = deque()

    def add(self, call: Iterable[W]) -> None:
        """Let a call's jobs wait."""
        jobs = deque(call)
        if jobs:
            self._calls.append(jobs)

    def loads(self) -> list[int]:
        """Return the tokens of each call that waits."""
        return [sum(job.tokens for job in call) for call in self._calls]

    def of(self, adapter: str) -> list[W]:
        """Return the jobs that wait for an adapter, call by call."""
        return [job for call in self._calls if call[0].adapter == adapter for job in call]

    def adapters(self) -> list[str]:
        """Return the adapters that are waited for, the longest waiting first."""
        return list(dict.fromkeys(call[0].adapter for call in self._calls))

    def take(self, adapter: str, *, most: int, fits: Callable[[W], bool]) -> list[W]:
        """Return up to `most` jobs for `adapter`, a job of each call in turn, while `fits` holds.

        Calls of other adapters keep their places.
        """
        taken: list[W] = []
        passed: deque[deque[W]] = deque()
        while self._calls and len(taken) < most:
            call = self._calls.popleft()
            if call[0].adapter != adapter:
                passed.append(call)
                continue
            if not fits(call[0]):
                self._calls.appendleft(call)
                break
            job = call.popleft()
            taken.append(job)
            if call:
                self._calls.append(call)
        self._calls = passed + self._calls
        return taken

    def take_abandoned(self) -> list[W]:
        """Return the jobs that nobody waits for any more, and forget them."""
        gone = [job for call in self._calls for job in call if job.abandoned()]
        if gone:
            left = (deque(job for job in call if not job.abandoned()) for call in self._calls)
            self._calls = deque(call for call in left if call)
        return gone

    def clear(self) -> list[W]:
        """Return all that wait, and forget them."""
        jobs = [job for call in self._calls for job in call]
        self._calls.clear()
        return jobs

    def __len__(self) -> int:
        return sum(map(len, self._calls))
