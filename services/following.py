"""Following: what is loaded for the word tuning that serves, loaded anew when another is promoted.

Every process that has the word encoders asks the pointer for every request: a promotion is live
without a restart. While a retriever loads, what it had goes on answering; a change of a pack waits,
as it must be indexed for the tuning that serves. Knows no pointer and no encoder.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Generic, TypeVar

from services.writer import Generations
from wraner import retrieval
from wraner.errors import Unavailable
from wraner.packs import Pack
from wraner.retrieval import Evidence, Neighbours, PackRef

Loaded = TypeVar("Loaded")
Answers = TypeVar("Answers")

_LOOKING = 8  # threads that read which tuning serves; one of them may load it


class Followed(Generic[Loaded]):
    """What is loaded with the tuning that `chosen` names; thread-safe.

    `chosen` gives a tuning's folder, None for the encoder untuned.
    """

    def __init__(
        self, chosen: Callable[[], Path | None], load: Callable[[Path | None], Loaded]
    ) -> None:
        self._chosen = chosen
        self._load = load
        self._lock = threading.Lock()
        self._held: tuple[Path | None, Loaded] | None = None

    def newest(self) -> Loaded:
        """Return what belongs to the tuning that serves now; loads it if need be.

        Raises:
            Unavailable: it cannot be loaded.
        """
        with self._lock:
            chosen = self._chosen()
            if self._held is None or self._held[0] != chosen:
                self._held = chosen, self._load(chosen)
            return self._held[1]

    def at_hand(self) -> Loaded:
        """Return the same, or while another thread loads it, what was there before.

        Raises:
            Unavailable: it cannot be loaded.
        """
        held = self._held
        if held is not None and (self._lock.locked() or held[0] == self._chosen()):
            return held[1]
        return self.newest()

    def is_newest(self, loaded: Loaded) -> bool:
        """Return whether this belongs to the tuning that serves now."""
        held = self._held
        return held is not None and held[0] == self._chosen() and held[1] is loaded


class FollowingRetriever:
    """Implements `wraner.retrieval.Retriever` by the retriever that serves now."""

    def __init__(
        self,
        followed: Followed[retrieval.Retriever],
        *,
        index_missing: Callable[[retrieval.Retriever, PackRef], None] = lambda *_: None,
    ) -> None:
        """`index_missing` indexes a stored pack that a retriever lacks: another release, whose
        index is its own, may have stored it.
        """
        self._followed = followed
        self._index_missing = index_missing
        # Of their own: who waits for a load would keep others from the threads that search, and
        # these, busy for long, would keep it from being told that there is a retriever at all.
        self._waiting = ThreadPoolExecutor(1, thread_name_prefix="wraner-follow")
        self._looking = ThreadPoolExecutor(_LOOKING, thread_name_prefix="wraner-look")

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        """See `wraner.retrieval.Retriever.neighbours`."""
        return await self._asked(pack, lambda retriever: retriever.neighbours(pack, texts, k))

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        """See `wraner.retrieval.Retriever.evidence`."""
        return await self._asked(pack, lambda retriever: retriever.evidence(pack, texts, k))

    async def _asked(
        self, pack: PackRef, ask: Callable[[retrieval.Retriever], Awaitable[Answers]]
    ) -> Answers:
        """Ask what is at hand; what it lacks may be indexed for the tuning that loads, or now."""
        loop = asyncio.get_running_loop()
        at_hand = await loop.run_in_executor(self._looking, self._followed.at_hand)
        try:
            return await ask(at_hand)
        except Unavailable:
            newest = await loop.run_in_executor(self._waiting, self._followed.newest)
            if newest is at_hand:
                await loop.run_in_executor(self._waiting, self._index_missing, newest, pack)
            return await ask(newest)


class FollowingGenerations:
    """Implements `services.writer.Generations`; the encoders are loaded on first use."""

    def __init__(self, followed: Followed[Generations]) -> None:
        self._followed = followed

    def build(self, pack: Pack, previous_version: str | None = None) -> Any:
        """Index a pack with the tuning that serves, also if that changes meanwhile."""
        while True:
            generations = self._followed.newest()
            built = generations.build(pack, previous_version)
            if self._followed.is_newest(generations):
                return built

    def drop(self, pack_version: str) -> None:
        """See `Generations.drop`."""
        self._followed.newest().drop(pack_version)
