"""Following the word tuning that serves: loaded when it changes, with answers meanwhile."""

import asyncio
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from services.following import Followed, FollowingGenerations, FollowingRetriever
from wraner.errors import Unavailable
from wraner.packs import Domain, EntityType
from wraner.retrieval import Evidence, Neighbours, PackRef, Retriever

PACK = Domain(entity_types=(EntityType(name="river"),))
ONE, TWO = Path("one"), Path("two")


class Pointer:
    """Names a tuning; counts what is loaded."""

    def __init__(self) -> None:
        self.chosen = ONE
        self.loaded: list[Path | None] = []

    def load(self, tuning: Path | None) -> Any:
        self.loaded.append(tuning)
        return Loaded(tuning)


class Loaded:
    """A retriever and generations that say which tuning they belong to."""

    def __init__(self, tuning: Path | None) -> None:
        self.tuning = tuning
        self.dropped: list[str] = []

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        return [Neighbours((), str(self.tuning), None)]

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Any]:
        return [self.tuning]

    def build(self, pack: Any, previous_version: str | None = None) -> Any:
        return self.tuning

    def drop(self, pack_version: str) -> None:
        self.dropped.append(pack_version)


def test_it_is_loaded_once_and_anew_when_another_serves() -> None:
    pointer = Pointer()
    followed = Followed[Any](lambda: pointer.chosen, pointer.load)
    retriever = FollowingRetriever(followed)
    pack = PackRef("v", inline=PACK)

    def ask() -> str:
        (found,) = asyncio.run(retriever.neighbours(pack, ["x"], 1))
        return found.index

    assert [ask(), ask()] == ["one", "one"] and pointer.loaded == [ONE]
    pointer.chosen = TWO
    assert asyncio.run(retriever.evidence(pack, ["x"], 1)) == [TWO]
    assert ask() == "two" and pointer.loaded == [ONE, TWO]


def test_it_is_found_while_all_threads_that_search_are_taken() -> None:
    pointer, free = Pointer(), threading.Event()
    retriever = FollowingRetriever(Followed[Any](lambda: pointer.chosen, pointer.load))

    async def asked() -> list[Neighbours]:
        with ThreadPoolExecutor(1) as threads:
            asyncio.get_running_loop().set_default_executor(threads)
            threads.submit(free.wait)
            try:
                found = retriever.neighbours(PackRef("v", inline=PACK), [], 1)
                return await asyncio.wait_for(found, timeout=10)
            finally:
                free.set()

    assert [f.index for f in asyncio.run(asked())] == ["one"]


def test_what_was_loaded_answers_while_another_thread_loads() -> None:
    pointer, loading, go_on = Pointer(), threading.Event(), threading.Event()

    def slow(tuning: Path | None) -> Any:
        if tuning == TWO:
            loading.set()
            assert go_on.wait(20)
        return pointer.load(tuning)

    followed = Followed[Any](lambda: pointer.chosen, slow)
    assert followed.at_hand().tuning == ONE
    pointer.chosen = TWO
    thread = threading.Thread(target=followed.at_hand)
    thread.start()
    assert loading.wait(20)
    assert followed.at_hand().tuning == ONE
    go_on.set()
    thread.join()
    assert followed.at_hand().tuning == TWO == followed.newest().tuning


class Knows:
    """A retriever that knows some packs alone."""

    def __init__(self, *versions: str) -> None:
        self.versions = versions

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        if pack.version not in self.versions:
            raise Unavailable("no index")
        return []

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        raise NotImplementedError


def test_a_pack_that_another_release_stored_is_indexed_when_it_is_asked_for() -> None:
    """In the thread that waits: searches need the others."""
    asked: list[tuple[str, str]] = []

    def index_missing(retriever: Any, pack: PackRef) -> None:
        asked.append((pack.version, threading.current_thread().name))
        if pack.version == "new":
            retriever.versions += ("new",)

    followed = Followed[Retriever](lambda: None, lambda _: Knows("old"))
    retriever = FollowingRetriever(followed, index_missing=index_missing)
    for pack in ("old", "new", "new"):
        assert asyncio.run(retriever.neighbours(PackRef(pack), ["x"], 1)) == []
    with pytest.raises(Unavailable):
        asyncio.run(retriever.neighbours(PackRef("gone"), ["x"], 1))
    assert [version for version, _ in asked] == ["new", "gone"]
    assert all(thread.startswith("wraner-follow") for _, thread in asked)


def test_a_pack_stored_since_a_promotion_waits_for_the_retriever_that_knows_it() -> None:
    gate, begun = threading.Event(), threading.Event()
    serving: list[Path | None] = [None]

    def load(tuning: Path | None) -> Knows:
        if tuning is None:
            return Knows("old")
        begun.set()
        assert gate.wait(10)
        return Knows("old", "new")

    followed = Followed[Retriever](lambda: serving[0], load)
    retriever = FollowingRetriever(followed)
    followed.newest()
    serving[0] = Path("promoted")
    loading = threading.Thread(target=followed.newest)
    loading.start()
    assert begun.wait(10)

    async def ask() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
        new, old = PackRef("new"), PackRef("old")
        asked = [asyncio.create_task(retriever.neighbours(new, ["a"], 1)) for _ in range(5)]
        await asyncio.sleep(0.05)
        assert not any(one.done() for one in asked)
        assert await asyncio.wait_for(retriever.neighbours(old, ["a"], 1), 5) == []
        gate.set()
        assert await asyncio.gather(*asked) == [[]] * 5
        with pytest.raises(Unavailable):
            await retriever.neighbours(PackRef("never"), ["a"], 1)

    asyncio.run(ask())
    loading.join()


def test_what_cannot_be_loaded_is_told_and_tried_again() -> None:
    pointer, broken = Pointer(), [True]

    def load(tuning: Path | None) -> Any:
        if tuning == TWO and broken:
            raise Unavailable("damaged")
        return pointer.load(tuning)

    followed = Followed[Any](lambda: pointer.chosen, load)
    followed.newest()
    pointer.chosen = TWO
    with pytest.raises(Unavailable, match="damaged"):
        followed.at_hand()
    broken.clear()
    assert followed.at_hand().tuning == TWO


def test_a_pack_is_indexed_for_the_tuning_that_serves_when_it_is_done() -> None:
    pointer = Pointer()

    class Flipping(Loaded):
        def build(self, pack: Any, previous_version: str | None = None) -> Any:
            pointer.chosen = TWO  # a promotion during the work
            return super().build(pack)

    followed = Followed[Any](lambda: pointer.chosen, lambda t: Flipping(t))
    generations = FollowingGenerations(followed)
    assert generations.build(PACK) == TWO
    generations.drop("v1")
    assert followed.newest().dropped == ["v1"]
