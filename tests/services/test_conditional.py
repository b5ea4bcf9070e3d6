"""Concurrent edits neither lose nor mix anything; conditional writes fail when stale."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.conditions import Condition
from services.settings import Limits
from services.writer import Writer
from tests.services.fakes import FakeIndex
from wraner.errors import InvalidInput, Stale, Unavailable
from wraner.packs import Domain, EntityType, TaggedExample, version
from wraner.registry import Kind, PackStore

TYPES = {"entity_types": [{"name": "city"}]}
URL = "/v1/domains/d"


def put(client: TestClient, description: str, **headers: str) -> Any:
    names = {k.replace("_", "-"): v for k, v in headers.items()}
    return client.put(URL, json={**TYPES, "description": description}, headers=names)


def test_if_match_lets_only_the_current_version_be_changed(client: TestClient) -> None:
    assert put(client, "a", if_match="*").status_code == 412
    first = put(client, "a", if_none_match="*").headers["etag"]
    assert put(client, "b", if_none_match="*").status_code == 412
    second = put(client, "b", if_match=f'"zzz", {first}').headers["etag"]
    stale = put(client, "c", if_match=first)
    assert stale.status_code == 412 and second.strip('"') in stale.json()["detail"]
    weak = put(client, "c", if_match=f"W/{second}")
    assert weak.status_code == 412 and f"in quotes alone: {second}" in weak.json()["detail"]
    other = put(client, "c", if_match=f"W/{first}")
    assert other.status_code == 412 and "read the pack again" in other.json()["detail"]
    headers = {"If-Match": first}
    more = {"examples": [{"id": "x", "text": "x"}]}
    assert client.post(f"{URL}/examples", json=more, headers=headers).status_code == 412
    assert client.delete(URL, headers=headers).status_code == 412
    third = client.post(f"{URL}/examples", json=more, headers={"If-Match": second})
    assert third.status_code == 201
    assert client.delete(f"{URL}/examples/x", headers=headers).status_code == 412
    assert client.get(URL).headers["etag"] == third.headers["etag"]
    headers = {"If-Match": third.headers["etag"]}
    assert client.delete(f"{URL}/examples/x", headers=headers).status_code == 200


@pytest.mark.parametrize("value", ["abc", '"a', 'a"b"', '"a" "b"', "", ", ,", '"a", *'])
def test_malformed_conditions_are_refused(client: TestClient, value: str) -> None:
    answer = put(client, "a", if_match=value)
    assert answer.status_code == 422 and "If-Match" in answer.json()["detail"]


def test_lists_of_versions_are_read_as_http_writes_them(client: TestClient) -> None:
    first = put(client, "a").headers["etag"]
    second = put(client, "b", if_match=f', "a,b" ,,{first} ,').headers["etag"]
    lines = [("If-Match", '"zzz"'), ("If-Match", second)]
    third = client.put(URL, json={**TYPES, "description": "c"}, headers=lines).headers["etag"]
    lines = [("If-None-Match", '"zzz"'), ("If-None-Match", f"W/{third}")]
    assert client.get(URL, headers=lines).status_code == 304


def test_of_many_conditional_writers_one_wins(client: TestClient) -> None:
    first = put(client, "a").headers["etag"]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: put(client, f"by {n}", if_match=first), range(8)))
    assert sorted(a.status_code for a in answers) == [200] + [412] * 7
    winner = next(a for a in answers if a.status_code == 200)
    assert client.get(URL).headers["etag"] == winner.headers["etag"]


def test_unconditional_edits_all_arrive(client: TestClient) -> None:
    put(client, "a")
    client.post(f"{URL}/examples", json={"examples": [{"id": "old", "text": "old"}]})

    def edit(number: int) -> int:
        if number == 0:
            return client.delete(f"{URL}/examples/old").status_code
        body = {"examples": [{"id": f"n{number}", "text": f"text {number}"}]}
        return client.post(f"{URL}/examples", json=body).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(edit, range(9))) == {200, 201}
    page = client.get(f"{URL}/examples").json()
    assert {e["id"] for e in page["examples"]} == {f"n{n}" for n in range(1, 9)}


def test_of_two_contents_under_one_id_one_is_refused(client: TestClient) -> None:
    put(client, "a")

    def add(number: int) -> int:
        body = {"examples": [{"id": "same", "text": f"text {number % 2}"}]}
        return client.post(f"{URL}/examples", json=body).status_code

    with ThreadPoolExecutor(6) as pool:
        statuses = sorted(pool.map(add, range(6)))
    assert statuses == [200, 200, 201, 409, 409, 409]


DOMAIN = Domain(entity_types=(EntityType(name="city"),))


def example(number: int) -> TaggedExample:
    return TaggedExample(id=f"n{number}", text=f"text {number}")


def test_two_writers_on_one_store_lose_nothing(tmp_path: Path) -> None:
    """As during a rolling update, when the old and the new replica both write."""
    index = FakeIndex()
    writers = [
        Writer(packs=PackStore(tmp_path), generations=index, limits=Limits(), state_dir=tmp_path)
        for _ in range(2)
    ]

    async def run() -> None:
        await writers[0].put("d", DOMAIN, Condition())
        await asyncio.gather(
            *(writers[n % 2].add(Kind.DOMAIN, "d", [example(n)], Condition()) for n in range(8))
        )

    asyncio.run(run())
    store = PackStore(tmp_path)
    found = store.pack(Kind.DOMAIN, "d", store.current(Kind.DOMAIN, "d"))
    assert {e.id for e in found.examples} == {f"n{n}" for n in range(8)}
    assert version(found) in index.packs


def test_a_slow_build_blocks_no_other_name(tmp_path: Path) -> None:
    index, gate = FakeIndex(), threading.Event()
    build = index.build

    def slow(pack: Any, previous_version: str | None = None) -> None:
        if pack.description == "slow":
            assert gate.wait(10)
        build(pack, previous_version)

    index.build = slow  # type: ignore[method-assign]
    writer = Writer(
        packs=PackStore(tmp_path), generations=index, limits=Limits(), state_dir=tmp_path
    )

    async def run() -> None:
        slow_pack = DOMAIN.model_copy(update={"description": "slow"})
        first = asyncio.create_task(writer.put("slow", slow_pack, Condition()))
        await asyncio.sleep(0.05)
        done = await asyncio.wait_for(writer.put("quick", DOMAIN, Condition()), 5)
        assert done.created and not first.done()
        gate.set()
        await first

    asyncio.run(run())


def test_who_hangs_up_does_not_stop_a_change_half_way(tmp_path: Path) -> None:
    index = FakeIndex()
    store = PackStore(tmp_path)
    writer = Writer(packs=store, generations=index, limits=Limits(), state_dir=tmp_path)

    async def run() -> None:
        task = asyncio.create_task(writer.put("d", DOMAIN, Condition()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await writer.add(Kind.DOMAIN, "d", [example(1)], Condition())

    asyncio.run(run())
    assert store.stored(Kind.DOMAIN, "d", store.current(Kind.DOMAIN, "d")).examples == 1


def test_old_versions_and_their_indexes_go_in_time(tmp_path: Path) -> None:
    index = FakeIndex()
    store = PackStore(tmp_path)
    limits = Limits(request_timeout_s=1e-9)
    writer = Writer(packs=store, generations=index, limits=limits, state_dir=tmp_path)

    async def run() -> None:
        await writer.put("twin", DOMAIN, Condition())
        await writer.put("d", DOMAIN, Condition())
        for number in range(3):
            await asyncio.sleep(0.01)
            await writer.add(Kind.DOMAIN, "d", [example(number)], Condition())

    asyncio.run(run())
    kept = {store.current(Kind.DOMAIN, name) for name in ("twin", "d")}
    # The version before the last may still be there; the twin's index is, though `d` moved on.
    assert kept <= set(index.packs) and len(index.packs) <= 3


def test_an_index_that_another_name_is_about_to_use_does_not_go(tmp_path: Path) -> None:
    index, watching = FakeIndex(), threading.Event()
    found, gate = threading.Event(), threading.Event()
    build = index.build
    old, new = (DOMAIN.model_copy(update={"description": d}) for d in ("old", "new"))

    def seen_and_slow(pack: Any, previous_version: str | None = None) -> None:
        again = version(pack) in index.packs
        build(pack, previous_version)
        if again and pack == old and watching.is_set():
            found.set()
            assert gate.wait(10)

    index.build = seen_and_slow  # type: ignore[method-assign]
    writer = Writer(
        packs=PackStore(tmp_path), generations=index, limits=Limits(), state_dir=tmp_path
    )

    async def run() -> None:
        await writer.put("d", old, Condition())
        await writer.put("d", new, Condition())
        writer._limits = Limits(request_timeout_s=1e-9)
        await asyncio.sleep(0.01)
        watching.set()
        other = asyncio.create_task(writer.put("other", old, Condition()))
        assert await asyncio.to_thread(found.wait, 10)
        await writer.add(Kind.DOMAIN, "d", [example(1)], Condition())  # lets go of `old`
        gate.set()
        await other

    asyncio.run(run())
    assert version(old) in index.packs


def test_what_is_deleted_is_gone_in_time_though_nothing_more_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.writer._TIDY_S", 0.05)
    index, store = FakeIndex(), PackStore(tmp_path)
    writer = Writer(
        packs=store, generations=index, limits=Limits(request_timeout_s=0.01), state_dir=tmp_path
    )

    async def run() -> None:
        await writer.put("d", DOMAIN, Condition())
        await writer.add(Kind.DOMAIN, "d", [example(1)], Condition())
        await writer.put("other", DOMAIN.model_copy(update={"description": "o"}), Condition())
        await writer.delete(Kind.DOMAIN, "d", Condition())
        assert [p.name for p in tmp_path.glob("*/d/versions/*")]
        await asyncio.sleep(0.3)

    asyncio.run(run())
    assert not list(tmp_path.glob("*/d/versions/*")) and len(index.packs) == 1
    assert store.names(Kind.DOMAIN) == ["other"] and store.was_deleted(Kind.DOMAIN, "d")


@pytest.mark.parametrize(
    "conditional", [Condition(if_match=("0" * 64,)), Condition(if_match=("*",))]
)
def test_a_write_that_is_refused_leaves_a_damaged_pack_as_it_was(
    tmp_path: Path, conditional: Condition
) -> None:
    store = PackStore(tmp_path)
    writer = Writer(packs=store, generations=FakeIndex(), limits=Limits(), state_dir=tmp_path)
    asyncio.run(writer.put("d", DOMAIN, Condition()))
    (pointer,) = tmp_path.glob("*/d/CURRENT")
    pointer.write_text("?")
    for write in (
        writer.put("d", DOMAIN, conditional),
        writer.delete(Kind.DOMAIN, "d", conditional),
    ):
        with pytest.raises(Stale):
            asyncio.run(write)
        assert pointer.read_text() == "?" and not store.was_deleted(Kind.DOMAIN, "d")
    asyncio.run(writer.delete(Kind.DOMAIN, "d", Condition()))
    assert store.was_deleted(Kind.DOMAIN, "d")


@pytest.mark.parametrize("fails", ["too many examples", "the index"])
def test_a_pack_that_cannot_be_written_anew_leaves_the_damaged_one_as_it_was(
    tmp_path: Path, fails: str
) -> None:
    index, store = FakeIndex(), PackStore(tmp_path)
    writer = Writer(
        packs=store, generations=index, limits=Limits(max_changed_examples=1), state_dir=tmp_path
    )
    asyncio.run(writer.put("d", DOMAIN, Condition()))
    (pointer,) = tmp_path.glob("*/d/CURRENT")
    pointer.write_text("?")
    count, error = (1, Unavailable("no room")) if fails == "the index" else (2, None)
    larger = DOMAIN.model_copy(update={"examples": tuple(map(example, range(count)))})
    index.error = error
    with pytest.raises(InvalidInput if error is None else Unavailable):
        asyncio.run(writer.put("d", larger, Condition()))
    assert pointer.read_text() == "?" and not store.was_deleted(Kind.DOMAIN, "d")
    assert store.prune(Kind.DOMAIN, "d", superseded_for_s=0) == []
    index.error = None
    written = asyncio.run(writer.put("d", DOMAIN, Condition()))
    assert store.current(Kind.DOMAIN, "d") == written.version and written.created
