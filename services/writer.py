"""The writer: changes of packs, one after the other for each name, names beside each other.

A change is read, checked, indexed and only then published by compare-and-swap: whoever reads sees
the pack before or after it, and what fails leaves everything as it was. Knows no HTTP and no Ray.
"""

import asyncio
import threading
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar
from weakref import WeakValueDictionary

import structlog

from services.conditions import Condition
from services.intake import too_many_examples
from services.logs import where
from services.ports import Written
from services.settings import Limits
from services.state_folder import writing_to
from wraner.edits import changed_examples, with_examples, without_example
from wraner.errors import NotFound, Stale, Unavailable, WranerError
from wraner.packs import Example, Pack, version
from wraner.registry import Kind, PackStore, kind_of

Result = TypeVar("Result")
Change = Callable[[Pack | None], Pack]

_TRIES = 5
_TIDY_S = 1.0  # what was let go is then surely older than it must be


class Generations(Protocol):
    """Builds and drops indexes; see `index.store.GenerationStore`."""

    def build(self, pack: Pack, previous_version: str | None = None) -> Any:
        """Index a pack, unless that is done already."""
        ...

    def drop(self, pack_version: str) -> None:
        """Forget a version's index."""
        ...


@dataclass(frozen=True, slots=True)
class _Old:
    """What stood under a name: a version and its pack, None where there is none or it is damaged;
    `damaged` says that nobody knows which version.
    """

    version: str | None = None
    pack: Pack | None = None
    damaged: bool = False


class Writer:
    """Changes packs; implements `ports.PackWriter`. One per store is enough, two do no harm."""

    def __init__(
        self, *, packs: PackStore, generations: Generations, limits: Limits, state_dir: Path
    ) -> None:
        """`state_dir` is where both lie."""
        self._packs = packs
        self._generations = generations
        self._limits = limits
        self._state_dir = state_dir
        self._locks: WeakValueDictionary[tuple[Kind, str], asyncio.Lock] = WeakValueDictionary()
        self._letting_go = threading.Lock()
        self._awaited: Counter[str] = Counter()
        self._running: set[asyncio.Task[Any]] = set()
        self._untidy: set[tuple[Kind, str]] = set()
        self._tidying: asyncio.Future[None] | None = None

    async def put(self, name: str, pack: Pack, condition: Condition) -> Written:
        """Store a whole pack under a name, a damaged one's too."""

        def change(old: Pack | None) -> Pack:
            count = changed_examples(old, pack)
            if count > self._limits.max_changed_examples:
                raise too_many_examples(count, self._limits, pointer="/examples")
            return pack

        return await self._finish(self._edit(kind_of(pack), name, condition, change, anew=True))

    async def add(
        self, kind: Kind, name: str, examples: Sequence[Example], condition: Condition
    ) -> Written:
        """Add examples; those that are there already change nothing."""
        return await self._finish(
            self._edit(kind, name, condition, lambda old: with_examples(_there(old), examples))
        )

    async def remove(self, kind: Kind, name: str, example_id: str, condition: Condition) -> Written:
        """Remove one example."""
        return await self._finish(
            self._edit(kind, name, condition, lambda old: without_example(_there(old), example_id))
        )

    async def delete(self, kind: Kind, name: str, condition: Condition) -> None:
        """Remove a pack, a damaged one too."""
        await self._finish(self._delete(kind, name, condition))

    async def _finish(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a change to its end, even if the client hangs up meanwhile."""
        task = asyncio.ensure_future(self._logged(work))
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def _logged(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Log what nobody may be waiting for any more; what cannot be written is Unavailable."""
        with writing_to(self._state_dir):
            try:
                return await work
            except WranerError:
                raise
            except Exception as error:
                structlog.get_logger("wraner.writer").error("not written", **where(error))
                raise

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # looked at, as asyncio wants: who asked may have hung up

    async def _edit(
        self, kind: Kind, name: str, condition: Condition, change: Change, *, anew: bool = False
    ) -> Written:
        async with self._lock(kind, name):
            for _ in range(_TRIES):
                old = await asyncio.to_thread(self._read, kind, name, anew)
                condition.check(old.version)
                try:
                    written = await asyncio.to_thread(
                        self._apply, name, change, old, made_anew=anew
                    )
                except Stale:  # another process was faster: begin again from what it wrote
                    continue
                self._tidy_later(kind, name)
                return written
        raise Stale(f"{name!r} keeps changing; try again later")

    async def _delete(self, kind: Kind, name: str, condition: Condition) -> None:
        async with self._lock(kind, name):
            try:
                current = await asyncio.to_thread(self._packs.current, kind, name)
            except Unavailable:
                condition.check(None)
                await asyncio.to_thread(self._packs.discard_damaged, kind, name)
            else:
                condition.check(current)
                await asyncio.to_thread(self._packs.delete, kind, name, expected=current)
            self._tidy_later(kind, name)

    def _read(self, kind: Kind, name: str, anew: bool) -> _Old:
        """Return what stands under a name, as far as `anew` may do without."""
        try:
            current = self._packs.current(kind, name)
        except NotFound:
            if not anew:
                raise
            return _Old()
        except Unavailable:
            if not anew:
                raise
            return _Old(damaged=True)
        try:
            return _Old(current, self._packs.pack(kind, name, current))
        except Unavailable:
            if not anew:
                raise
            return _Old(current)

    def _apply(self, name: str, change: Change, old: _Old, *, made_anew: bool) -> Written:
        new = change(old.pack)
        with self._under_way(version(new)):
            self._generations.build(new, old.version)
            if old.damaged:  # not sooner: what is refused, or fails, leaves it as it was
                self._packs.discard_damaged(kind_of(new), name)
            made = self._packs.publish(name, new, expected=old.version)
            # One that was found built may have been let go meanwhile by a process that started.
            self._generations.build(new, old.version)
        self._prune(kind_of(new), name)
        before = 0 if made_anew else len(_there(old.pack).examples)
        created = old.version is None if made_anew else len(new.examples) > before
        return Written(name, made, len(new.examples), created)

    @contextmanager
    def _under_way(self, pack_version: str) -> Iterator[None]:
        """Keep the index of a version that is found built already until a name has it."""
        with self._letting_go:
            self._awaited[pack_version] += 1
        try:
            yield
        finally:
            with self._letting_go:
                self._awaited[pack_version] -= 1
                self._awaited += Counter()  # which forgets what is nought

    def _tidy_later(self, kind: Kind, name: str) -> None:
        """Prune when no request can be reading any more what has just been let go."""
        self._untidy.add((kind, name))
        if self._tidying is None or self._tidying.done():
            self._tidying = asyncio.ensure_future(self._tidy())

    async def _tidy(self) -> None:
        while self._untidy:
            due, self._untidy = self._untidy, set()
            await asyncio.sleep(self._limits.superseded_for_s + _TIDY_S)
            for kind, name in due:
                await asyncio.to_thread(self._prune, kind, name)

    def _prune(self, kind: Kind, name: str) -> None:
        """Let go of versions that no request can be reading any more; failing costs only disk."""
        try:
            gone = self._packs.prune(kind, name, superseded_for_s=self._limits.superseded_for_s)
            for one in gone:
                with self._letting_go:
                    if one not in self._awaited and one not in self._packs.versions():
                        self._generations.drop(one)
        except (OSError, WranerError) as error:
            structlog.get_logger("wraner.writer").warning("prune failed", error=str(error))

    def _lock(self, kind: Kind, name: str) -> asyncio.Lock:
        return self._locks.setdefault((kind, name), asyncio.Lock())


def _there(pack: Pack | None) -> Pack:
    if pack is None:
        raise NotFound("the pack has been deleted meanwhile")
    return pack
