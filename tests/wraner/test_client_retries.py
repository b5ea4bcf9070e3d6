"""Both clients repeat what is safe to repeat, wait as they are told, and say what they tried."""

import asyncio
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wraner.client import problems
from wraner.client.asynchronous import AsyncClient
from wraner.client.problems import Busy, NotFound, NotWraner, Stale, Unreachable
from wraner.client.retries import Attempts, Retry
from wraner.client.sync import Client
from wraner.errors import InvalidInput
from wraner.packs import Domain, EntityType, TaggedExample

URL = "http://wraner.test:8000"
NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT
RETRY = Retry(attempts=4, longest_wait_s=20, draw=lambda: 1.0, now=lambda: NOW)
DOMAIN = Domain(entity_types=(EntityType(name="city"),))
EXAMPLE = TaggedExample(id="x", text="x")
SUMMARY = {"name": "d", "version": "1f", "examples": 0}

Verb = Callable[[Any], Any]
READS: dict[str, tuple[Verb, Any]] = {
    "extract": (
        lambda c: c.extract("x", domain="d"),
        {"results": [], "versions": dict.fromkeys(("model", "adapter", "pack", "index"), "")},
    ),
    "moderate": (
        lambda c: c.moderate("x", policy_set="d"),
        {"results": [], "versions": dict.fromkeys(("model", "adapter", "pack", "index"), "")},
    ),
    "domain": (lambda c: c.domain("d"), SUMMARY),
    "domains": (lambda c: c.domains(), {"domains": []}),
    "examples": (lambda c: c.domain_examples("d"), {"version": "", "examples": [], "next": None}),
    "health": (lambda c: c.health(), {"status": "ok"}),
    "put": (lambda c: c.put_domain("d", DOMAIN), SUMMARY),
}
CHANGES: dict[str, tuple[Verb, Any]] = {
    "put if": (lambda c: c.put_domain("d", DOMAIN, if_match="1f"), SUMMARY),
    "put new": (lambda c: c.put_domain("d", DOMAIN, if_none_match=True), SUMMARY),
    "add": (lambda c: c.add_domain_examples("d", [EXAMPLE]), SUMMARY),
    "remove": (lambda c: c.delete_domain_example("d", "x"), SUMMARY),
    "delete": (lambda c: c.delete_domain("d"), None),
}


class Stage:
    """A client over a script of outcomes, one an attempt; keeps what was sent and waited."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.sent: list[httpx.Request] = []
        self.waits: list[float] = []

    def play(self, verb: Verb, *script: httpx.Response | Exception, retry: Retry = RETRY) -> Any:
        outcomes: Iterator[httpx.Response | Exception] = iter(script)

        def handle(request: httpx.Request) -> httpx.Response:
            self.sent.append(request)
            outcome = next(outcomes)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        transport = httpx.MockTransport(handle)
        if self.kind == "sync":
            with Client(URL, retry=retry, transport=transport, sleep=self.waits.append) as client:
                return verb(client)
        return asyncio.run(self._play_async(verb, transport, retry))

    async def _play_async(self, verb: Verb, transport: httpx.MockTransport, retry: Retry) -> Any:
        async def sleep(wait_s: float) -> None:
            self.waits.append(wait_s)

        async with AsyncClient(URL, retry=retry, transport=transport, sleep=sleep) as client:
            return await verb(client)


@pytest.fixture(params=["sync", "async"])
def stage(request: pytest.FixtureRequest) -> Stage:
    return Stage(request.param)


def problem(status: int, **headers: str) -> httpx.Response:
    body = {
        "type": "urn:wraner:problem:x",
        "title": "A title",
        "status": status,
        "detail": "a detail",
        "pointer": "",
        "request_id": "r1",
    }
    names = {"content-type": problems.MEDIA_TYPE}
    return httpx.Response(status, json=body, headers=headers | names)


def refused() -> httpx.ConnectError:
    return httpx.ConnectError("[Errno 111] Connection refused")


def starting() -> httpx.Response:
    """What Ray Serve answers before it has routes."""
    said = "Path '/v1/domains' not found. Ping http://.../-/routes for available routes."
    return httpx.Response(404, text=said)


class Breaking(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body whose connection is lost half-way."""

    def __iter__(self) -> Iterator[bytes]:
        yield b'{"na'
        raise httpx.ReadError("connection reset")

    async def __aiter__(self) -> Any:
        yield b'{"na'
        raise httpx.ReadError("connection reset")


def broken() -> httpx.Response:
    return httpx.Response(200, stream=Breaking())


def answered(body: Any) -> httpx.Response:
    return httpx.Response(204) if body is None else httpx.Response(200, json=body)


@pytest.mark.parametrize("name", [*READS, *CHANGES])
@pytest.mark.parametrize("first", [lambda: problem(429), lambda: problem(503), refused, starting])
def test_every_verb_is_sent_again_where_it_was_not_carried_out(
    stage: Stage, name: str, first: Callable[[], httpx.Response | Exception]
) -> None:
    verb, body = (READS | CHANGES)[name]
    stage.play(verb, first(), answered(body))
    assert stage.waits == [0.5]
    one, two = stage.sent
    assert (one.method, one.url, one.content) == (two.method, two.url, two.content)
    assert {*one.headers.items()} == {*two.headers.items()}


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("lost", [broken, lambda: httpx.RemoteProtocolError("disconnected")])
def test_what_may_be_repeated_is_sent_again_when_the_connection_breaks(
    stage: Stage, name: str, lost: Callable[[], httpx.Response | Exception]
) -> None:
    verb, body = READS[name]
    stage.play(verb, lost(), answered(body))
    assert len(stage.sent) == 2


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("lost", [broken, lambda: httpx.RemoteProtocolError("disconnected")])
def test_a_change_that_may_have_been_made_is_not_sent_again(
    stage: Stage, name: str, lost: Callable[[], httpx.Response | Exception]
) -> None:
    verb, _ = CHANGES[name]
    with pytest.raises(Unreachable, match="the change may have been made"):
        stage.play(verb, lost())
    assert len(stage.sent) == 1 and stage.waits == []


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        ("3", 3.0),
        ("0", 0.0),
        ("Tue, 14 Nov 2023 22:13:27 GMT", 7.0),
        ("Tue, 14 Nov 2023 22:13:27 -0000", 7.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("soon", 0.5),
        ("-1", 0.5),
        (f"Tue, 14 Nov {'9' * 30} 22:13:27 GMT", 0.5),
        ("", 0.5),
    ],
)
def test_retry_after_is_honoured(stage: Stage, value: str, wait_s: float) -> None:
    verb, body = READS["health"]
    stage.play(verb, problem(429, **{"Retry-After": value}), answered(body))
    assert stage.waits == [wait_s]


FAILURES = {
    "the gateway died": lambda: httpx.Response(500, text="Internal Server Error"),
    "bad gateway": lambda: httpx.Response(502, html="<h1>502 Bad Gateway</h1>"),
    "gateway timeout": lambda: httpx.Response(504, html="<h1>504 Gateway Time-out</h1>"),
}


@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("failure", ["the gateway died", "bad gateway"])
def test_what_may_be_repeated_is_sent_again_when_the_server_died_at_work(
    stage: Stage, name: str, failure: str
) -> None:
    verb, body = READS[name]
    stage.play(verb, FAILURES[failure](), answered(body))
    assert stage.waits == [0.5]
    with pytest.raises(NotWraner, match=r"4 attempts .*; the server, or a proxy before it, failed"):
        stage.play(verb, *(FAILURES[failure]() for _ in range(4)))


def test_what_took_a_proxy_too_long_is_not_sent_again(stage: Stage) -> None:
    with pytest.raises(NotWraner, match=r"504 .*the server, or a proxy before it, failed"):
        stage.play(READS["extract"][0], FAILURES["gateway timeout"]())
    assert stage.waits == []


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("failure", FAILURES)
def test_a_change_that_may_have_been_made_is_not_sent_again_when_the_server_died(
    stage: Stage, name: str, failure: str
) -> None:
    verb, _ = CHANGES[name]
    with pytest.raises(NotWraner, match=r"failed; the change may have been made, so look before"):
        stage.play(verb, FAILURES[failure]())
    assert len(stage.sent) == 1 and stage.waits == []


@pytest.mark.parametrize("status", [500, 504])
def test_a_problem_that_the_server_states_itself_is_its_answer(stage: Stage, status: int) -> None:
    with pytest.raises(problems.ApiError, match="a detail"):
        stage.play(READS["extract"][0], problem(status))
    assert stage.waits == []


def test_it_gives_up_and_says_how_long_it_waited(stage: Stage) -> None:
    with pytest.raises(Busy) as caught:
        stage.play(READS["extract"][0], *(problem(503) for _ in range(4)))
    assert stage.waits == [0.5, 1.0, 2.0]
    assert str(caught.value) == (
        "a detail (503 A title; after 4 attempts and 3.5 s of waiting; request r1)"
    )


@pytest.mark.parametrize("asked", ["21", "9" * 5000])
def test_a_wait_that_is_too_long_is_not_begun(stage: Stage, asked: str) -> None:
    with pytest.raises(Busy, match=r"after 1 attempt .* would pass longest_wait_s, which is 20"):
        stage.play(READS["extract"][0], problem(429, **{"Retry-After": asked}))
    assert stage.waits == []


def test_all_waits_together_are_bounded(stage: Stage) -> None:
    waits = [problem(429, **{"Retry-After": "9"}) for _ in range(3)]
    with pytest.raises(Busy, match="after 3 attempts and 18 s of waiting"):
        stage.play(READS["extract"][0], *waits)


def test_a_server_that_is_not_there_is_named_with_the_way_out(stage: Stage) -> None:
    with pytest.raises(Unreachable) as caught:
        stage.play(READS["domains"][0], *(refused() for _ in range(4)))
    for part in (
        URL,
        "refused",
        "4 attempts and 3.5 s",
        "`wraner serve`",
        "--server",
        "WRANER_URL",
    ):
        assert part in str(caught.value)


def test_a_server_that_never_gets_routes_is_told_from_another_program(stage: Stage) -> None:
    with pytest.raises(Unreachable, match=r"no routes yet \(after 4 attempts and 3.5 s") as caught:
        stage.play(CHANGES["delete"][0], *(starting() for _ in range(4)))
    assert "may have been made" not in str(caught.value)
    page = httpx.Response(404, html="Ping http://.../-/routes for available routes.")
    with pytest.raises(NotWraner):
        stage.play(CHANGES["delete"][0], page)


def test_a_server_that_stays_silent_is_not_asked_again(stage: Stage) -> None:
    with pytest.raises(Unreachable, match=r"stayed silent for 120 s .*longer timeout_s"):
        stage.play(READS["extract"][0], httpx.ReadTimeout("timed out"))
    assert len(stage.sent) == 1


@pytest.mark.parametrize(
    ("verb", "status", "error"), [("delete", 404, NotFound), ("put if", 412, Stale)]
)
def test_a_refusal_behind_a_503_may_be_of_a_change_that_was_made(
    stage: Stage, verb: str, status: int, error: type[Exception]
) -> None:
    with pytest.raises(error, match="one of which may have been carried out"):
        stage.play(CHANGES[verb][0], problem(503), problem(status))


def test_a_refusal_behind_a_429_is_of_this_change(stage: Stage) -> None:
    with pytest.raises(NotFound) as caught:
        stage.play(CHANGES["delete"][0], problem(429), problem(404))
    assert "carried out" not in str(caught.value)


def test_a_server_that_goes_away_behind_a_503_may_have_made_the_change(stage: Stage) -> None:
    with pytest.raises(Unreachable, match=r"no server was reached .* may have been made"):
        stage.play(CHANGES["delete"][0], problem(503), *(refused() for _ in range(3)))


def test_not_ready_is_an_answer_but_shutting_down_is_not(stage: Stage) -> None:
    starting = httpx.Response(503, json={"status": "starting", "detail": "no engine"})
    assert stage.play(lambda c: c.ready(), starting).detail == "no engine"
    with pytest.raises(Busy):
        stage.play(lambda c: c.ready(), problem(503))
    assert stage.waits == []


@given(st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ (GMT|[+-]\d+)"))
def test_whatever_a_server_sends_as_retry_after_there_is_a_wait_or_none(value: str) -> None:
    wait_s = Attempts(RETRY).next_wait_s(value)
    assert wait_s is None or 0 <= wait_s <= RETRY.longest_wait_s


def test_chance_spreads_the_waits_between_half_and_whole() -> None:
    for draw, expected in ((0.0, [0.25, 0.5, 1.0]), (0.5, [0.375, 0.75, 1.5])):
        attempts = Attempts(Retry(attempts=4, draw=lambda draw=draw: draw))
        assert [attempts.next_wait_s() for _ in range(4)] == [*expected, None]


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"longest_wait_s": -1.0}, {"longest_wait_s": float("nan")}]
)
def test_a_retry_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="expected"):
        Retry(**wrong)


def test_errors_survive_the_way_between_processes(stage: Stage) -> None:
    with pytest.raises(Busy) as caught:
        stage.play(READS["health"][0], problem(429), retry=Retry(attempts=1))
    copied = pickle.loads(pickle.dumps(caught.value))
    assert type(copied) is Busy and str(copied) == str(caught.value)
