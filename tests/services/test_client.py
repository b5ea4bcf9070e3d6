"""Both clients against the real API over fakes: every verb, and what its refusals become."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from services import examples
from services.api import build_api
from services.settings import Limits
from tests.services.fakes import FakeEngine, FakeIndex, make_gateway
from wraner.client.asynchronous import AsyncClient
from wraner.client.problems import Busy, Conflict, Invalid, NotFound, Stale
from wraner.client.retries import Retry
from wraner.client.sync import Client
from wraner.errors import Overloaded
from wraner.packs import Domain, JudgedExample, PolicySet, TaggedExample, version

DOMAIN = Domain.model_validate(examples.REQUESTS["Domain"])
POLICIES = PolicySet.model_validate(examples.REQUESTS["PolicySet"])
TAGGED = TaggedExample.model_validate(examples.REQUESTS["AddTaggedExamples"]["examples"][0])
JUDGED = JudgedExample.model_validate(examples.REQUESTS["AddJudgedExamples"]["examples"][0])
KINDS = [("domain", DOMAIN, TAGGED), ("policy_set", POLICIES, JUDGED)]


class ThroughPortal(httpx.BaseTransport):
    """Lets the waiting client reach an application that lives in an event loop."""

    def __init__(self, portal: BlockingPortal, application: httpx.ASGITransport) -> None:
        self._portal = portal
        self._application = application

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._portal.call(self._answer, request)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        response = await self._application.handle_async_request(request)
        headers = response.headers
        return httpx.Response(response.status_code, headers=headers, content=await response.aread())


class Awaited:
    """The client for asyncio with every method waited for, so that one test serves both."""

    def __init__(self, client: AsyncClient, portal: BlockingPortal) -> None:
        self._client = client
        self._portal = portal

    def __getattr__(self, name: str) -> Any:
        def ask(*args: Any, **options: Any) -> Any:
            asked = getattr(self._client, name)(*args, **options)
            return self._portal.call(wait, asked) if inspect.isawaitable(asked) else items(asked)

        async def wait(asked: Awaitable[Any]) -> Any:
            return await asked

        def items(asked: AsyncIterator[Any]) -> Iterator[Any]:
            while (item := self._portal.call(anext, asked, None)) is not None:
                yield item

        return ask


@pytest.fixture(params=["sync", "async"])
def client(
    request: pytest.FixtureRequest, tmp_path: Path, engine: FakeEngine, index: FakeIndex
) -> Iterator[Any]:
    limits = Limits(max_characters=2000)
    gateway = make_gateway(tmp_path, engine=engine, index=index, limits=limits)
    application = httpx.ASGITransport(build_api(gateway))
    retry = Retry(attempts=1)
    with start_blocking_portal() as portal:
        if request.param == "sync":
            with Client(retry=retry, transport=ThroughPortal(portal, application)) as client:
                yield client
        else:
            asynchronous = AsyncClient(retry=retry, transport=application)
            with portal.wrap_async_context_manager(asynchronous) as opened:
                yield Awaited(opened, portal)


def verbs(client: Any, kind: str) -> Any:
    """Return a function that names a verb with `pack` in place of the kind."""
    return lambda name: getattr(client, name.replace("pack", kind))


@pytest.mark.parametrize(("kind", "pack", "example"), KINDS)
def test_a_pack_lives_from_put_to_delete(client: Any, kind: str, pack: Any, example: Any) -> None:
    verb = verbs(client, kind)
    made = verb("put_pack")("mine", pack, if_none_match=True)
    count = len(pack.examples)
    assert (made.name, made.version, made.examples) == ("mine", version(pack), count)
    read = verb("pack")("mine")
    assert (read.version, read.description) == (made.version, pack.description)
    assert read.entity_types == getattr(pack, "entity_types", ())
    assert read.policies == getattr(pack, "policies", ())
    assert verb("packs")().packs == (read,) and verb("packs")().damaged == ()

    added = verb("add_pack_examples")("mine", [example], if_match=made.version)
    assert added.examples == count + 1
    assert verb("pack_examples")("mine").examples == (*pack.examples, example)
    for late in (
        lambda: verb("add_pack_examples")("mine", [example], if_match=made.version),
        lambda: verb("delete_pack_example")("mine", example.id, if_match=made.version),
        lambda: verb("put_pack")("mine", pack, if_match=made.version),
        lambda: verb("put_pack")("mine", pack, if_none_match=True),
        lambda: verb("delete_pack")("mine", if_match=made.version),
    ):
        with pytest.raises(Stale, match=added.version):
            late()
    gone = verb("delete_pack_example")("mine", example.id, if_match=added.version)
    assert (gone.version, gone.examples) == (made.version, count)
    assert verb("delete_pack")("mine", if_match=gone.version) is None
    with pytest.raises(NotFound, match="mine"):
        verb("pack")("mine")


@pytest.mark.parametrize(("kind", "pack", "example"), KINDS)
def test_examples_are_read_in_pages_and_all(
    client: Any, kind: str, pack: Any, example: Any
) -> None:
    verb = verbs(client, kind)
    ids = ["a/b", "..", "é &c", "a%2Fb", "?", "."]
    more = [example.model_copy(update={"id": i, "text": f"{example.text} {i}"}) for i in ids]
    verb("put_pack")("mine", pack.model_copy(update={"examples": tuple(more)}))
    seen, after = [], ""
    while after is not None:
        page = verb("pack_examples")("mine", after=after, limit=4)
        seen += page.examples
        after = page.next
    assert seen == more == list(verb("iterate_pack_examples")("mine"))
    for left, name in enumerate(reversed(ids)):
        assert verb("delete_pack_example")("mine", name).examples == len(ids) - 1 - left


def test_all_examples_are_of_one_version(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("sync", "asynchronous"):
        monkeypatch.setattr(f"wraner.client.{module}.WHOLE_PAGE", 1)
    other = TAGGED.model_copy(update={"id": "lyon-2"})
    client.put_domain("mine", DOMAIN.model_copy(update={"examples": (TAGGED, other)}))
    assert [e.id for e in client.iterate_domain_examples("mine")] == ["lyon-1", "lyon-2"]
    rest = client.iterate_domain_examples("mine")
    assert next(rest) == TAGGED
    client.add_domain_examples("mine", [TAGGED.model_copy(update={"id": "lyon-3"})])
    with pytest.raises(Stale, match="expected all pages of version"):
        next(rest)


def test_extract(client: Any) -> None:
    stored = client.put_domain("travel", DOMAIN)
    found = client.extract("in \U0001f600 Lyon", domain="travel", k=1, offset_unit="utf16")
    (one,) = found.results
    assert [(e.start, e.end, e.text, e.label) for e in one.entities] == [(6, 10, "Lyon", "city")]
    assert [n.id for n in one.neighbours] == [DOMAIN.examples[0].id]
    assert (one.coverage.characters, one.coverage.truncated) == (9, False)
    assert (found.versions.pack, found.versions.model) == (stored.version, "fake@0")

    sent = client.extract(["Ghent", "x"], inline=DOMAIN, entity_types=["city"], min_score=0.95)
    assert [r.entities for r in sent.results] == [(), ()]


def test_moderate(client: Any) -> None:
    client.put_policy_set("forum", POLICIES)
    bad, good = client.moderate(("a bad thing", "a thing"), policy_set="forum").results
    assert (bad.decision, bad.flagged, good.decision) == ("violates", True, "allowed")
    (match,) = bad.matches
    assert (match.policy, match.tier) == ("no-spam", 1)
    assert [(s.start, s.end) for s in match.evidence] == [(0, 1)]
    assert bad.coverage.policies_judged == ("no-spam",)

    options = {"policies": ["no-spam"], "threshold": 1.0}
    (one,) = client.moderate("a bad thing", inline=POLICIES, **options).results
    assert not one.flagged
    assert client.moderate("bad", inline=POLICIES, exhaustive=True).results[0].flagged


def test_refusals_become_typed_errors(client: Any, engine: FakeEngine) -> None:
    with pytest.raises(Invalid, match="2000 characters") as caught:
        client.extract(["x", "x" * 2001], inline=DOMAIN)
    assert (caught.value.status, caught.value.pointer) == (422, "/text/1")
    assert caught.value.request_id
    with pytest.raises(Invalid, match="exactly one") as caught:
        client.extract("x")
    assert caught.value.pointer == "/domain"
    with pytest.raises(Invalid, match="surrogate") as caught:
        client.extract("\ud83d", inline=DOMAIN)
    assert caught.value.pointer == "/text"
    with pytest.raises(NotFound) as missing:
        client.moderate("x", policy_set="nowhere")
    assert missing.value.pointer == "/policy_set"
    client.put_domain("travel", DOMAIN)
    client.add_domain_examples("travel", [TAGGED])
    with pytest.raises(Conflict):
        client.add_domain_examples(
            "travel", [TAGGED.model_copy(update={"text": "We met in Lyon!"})]
        )
    engine.error = Overloaded("the queue is full", retry_after_s=7)
    with pytest.raises(Busy, match="the queue is full") as busy:
        client.extract("x", domain="travel")
    assert busy.value.status == 429


def test_health_and_readiness(client: Any, engine: FakeEngine) -> None:
    assert client.health().status == "ok" and client.ready().status == "ok"
    engine.error = RuntimeError("loading")
    assert client.ready().status == "starting" and client.ready().detail
