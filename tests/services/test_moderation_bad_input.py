"""Whatever moderation is given, it judges it or says why not; nothing unjudged is allowed."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.api import build_api
from services.settings import Limits
from tests.services.fakes import FakeEngine, FakeIndex, make_gateway
from wraner.errors import DeadlineExceeded, Overloaded, Unavailable

POLICY = {"id": "p", "title": "No p", "definition": "Says p."}
MANY = 500


def policies(*more: dict[str, Any], examples: Any = ()) -> dict[str, Any]:
    return {"policies": [POLICY, *more], "examples": list(examples)}


def asked(text: Any = "x", **more: Any) -> dict[str, Any]:
    return {"inline": policies(), "text": text, **more}


def refused(answer: Any, status: int, pointer: str, words: str) -> None:
    problem = answer.json()
    assert answer.status_code == problem["status"] == status, answer.text
    assert problem["pointer"] == pointer and words in problem["detail"], problem
    assert "results" not in problem


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        (policies({**POLICY, "id": "p"}), "/policies/1/id", "'p' at 0 and at 1"),
        (policies({**POLICY, "id": "q", "definition": ""}), "/policies/1/definition", "visible"),
        (policies({**POLICY, "id": "q", "definition": " \n"}), "/policies/1/definition", "visible"),
        (policies({"id": "q", "title": "Q"}), "/policies/1/definition", "missing"),
        (policies({**POLICY, "id": "q", "title": ""}), "/policies/1/title", "at least 1"),
        (policies({**POLICY, "id": "q", "includes": [""]}), "/policies/1/includes/0", "visible"),
        (policies({**POLICY, "id": "q", "threshold": 1.5}), "/policies/1/threshold", "1"),
        (policies({**POLICY, "id": "q", "severity": 1}), "/policies/1/severity", "not known"),
        (
            policies(examples=[{"text": "t", "violates": ["p", "z"]}]),
            "/examples/0/violates/1",
            "'z' is not declared",
        ),
        (
            policies(examples=[{"text": "t"}, {"text": "u", "complies": ["z"]}]),
            "/examples/1/complies/0",
            "declare it",
        ),
        (
            policies(examples=[{"id": "e", "text": "t"}, {"id": "e", "text": "u"}]),
            "/examples/1/id",
            "unique",
        ),
        (
            policies(examples=[{"text": "t", "violates": ["p"], "complies": ["p"]}]),
            "/examples/0/complies",
            "both",
        ),
        ({"policies": []}, "/policies", "at least 1"),
        (
            policies({**POLICY, "id": "q", "includes": ["a" * 12_000, "b" * 8_000]}),
            "/policies/1",
            "WRANER_MAX_CHARACTERS",
        ),
        (  # each case has words of the question's beside its own
            policies({**POLICY, "id": "q", "includes": ["a"] * 1_700}),
            "/policies/1",
            "WRANER_MAX_CHARACTERS",
        ),
    ],
)
def test_a_policy_set_is_refused_alike_stored_and_inline(
    client: TestClient, body: dict[str, Any], pointer: str, words: str
) -> None:
    refused(client.put("/v1/policy-sets/s", json=body), 422, pointer, words)
    inline = {"inline": body, "text": "x"}
    refused(client.post("/v1/moderate", json=inline), 422, f"/inline{pointer}", words)
    assert client.get("/v1/policy-sets").json()["policy_sets"] == []


def test_examples_that_name_unknown_policies_cannot_be_added(client: TestClient) -> None:
    client.put("/v1/policy-sets/s", json=policies())
    before = client.get("/v1/policy-sets/s").json()
    more = {"examples": [{"text": "good", "violates": ["p"]}, {"text": "t", "complies": ["z"]}]}
    answer = client.post("/v1/policy-sets/s/examples", json=more)
    refused(answer, 422, "/examples/1/complies/0", "'z' is not declared")
    assert client.get("/v1/policy-sets/s").json() == before


@pytest.mark.parametrize("text", ["😀", "👩‍👩‍👧🇧🇪😡", "😀 " * 3000, "\u200b", "。", "\x00"])
def test_a_text_without_words_is_judged(client: TestClient, text: str) -> None:
    answer = client.post("/v1/moderate", json=asked(text))
    (result,) = answer.json()["results"]
    assert answer.status_code == 200, answer.text
    assert result["coverage"]["windows"] >= 1
    assert result["coverage"]["policies_judged"] == ["p"]


def test_a_long_text_is_refused_with_the_limits_name(client: TestClient) -> None:
    long = "words " * 8334
    answer = client.post("/v1/moderate", json=asked(["x", long]))
    refused(answer, 422, "/text/1", "up to 20000 characters a text (WRANER_MAX_CHARACTERS)")


@pytest.mark.parametrize("at", [0, 25_000, 49_990])
def test_with_the_limit_raised_every_window_is_judged(tmp_path: Path, at: int) -> None:
    gateway = make_gateway(tmp_path, limits=Limits(max_characters=50_000))
    long = ("words " * 8334)[:50_000]
    long = long[:at] + " bad " + long[at + 5 :]
    with TestClient(build_api(gateway)) as client:
        (result,) = client.post("/v1/moderate", json=asked(long)).json()["results"]
    assert result["coverage"]["characters"] == 50_000 and not result["coverage"]["truncated"]
    assert result["coverage"]["windows"] > 50
    assert result["decision"] == "violates"
    (match,) = result["matches"]
    (span,) = match["evidence"]  # the fake index speaks of the window's first character
    assert span["start"] <= at + 1 < span["start"] + 160 * len("words ")


@pytest.mark.parametrize("exhaustive", [False, True])
@pytest.mark.parametrize("stored", [False, True])
def test_hundreds_of_policies(client: TestClient, stored: bool, exhaustive: bool) -> None:
    ids = [f"p{n}" for n in range(MANY)]
    examples = [{"text": f"t {i}", "violates": [i], "complies": []} for i in ids]
    body = {"policies": [{**POLICY, "id": i} for i in ids], "examples": examples}
    if stored:
        assert client.put("/v1/policy-sets/many", json=body).status_code == 201
    which = {"policy_set": "many"} if stored else {"inline": body}
    question = {**which, "text": ["bad", "fine"], "exhaustive": exhaustive}
    answer = client.post("/v1/moderate", json=question)
    assert answer.status_code == 200, answer.text
    bad, fine = answer.json()["results"]
    judged = MANY if exhaustive else 5
    for result in (bad, fine):
        assert len(result["coverage"]["policies_judged"]) == judged
        assert result["coverage"]["policies_skipped"] == MANY - judged
    assert len(bad["matches"]) == judged and fine["decision"] == "allowed"


@pytest.mark.parametrize(
    ("error", "status", "after"),
    [
        (Overloaded("the queue is full", retry_after_s=6.4), 429, "7"),
        (Unavailable("the engine's thread has died"), 503, "1"),
        (DeadlineExceeded("late"), 504, None),
        (RuntimeError("a bug"), 500, None),
    ],
)
@pytest.mark.parametrize("part", ["engine", "index"])
def test_what_fails_allows_nothing(
    client: TestClient, engine: FakeEngine, index: FakeIndex, part: str, error: Exception,
    status: int, after: str | None, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    if part == "engine":
        engine.error = error
    else:

        async def fail(*_: Any) -> Any:
            raise error

        monkeypatch.setattr(index, "evidence", fail)
    answer = client.post("/v1/moderate", json=asked(["fine", "bad"]))
    refused(answer, status, "", "")
    assert answer.headers.get("retry-after") == after
    assert "allowed" not in answer.text


def test_a_full_gateway_refuses_further_texts(tmp_path: Path) -> None:
    gateway = make_gateway(tmp_path, gateway_queue=1)
    gateway._answering = 1
    with TestClient(build_api(gateway)) as client:
        answer = client.post("/v1/moderate", json=asked("fine"))
    refused(answer, 429, "", "WRANER_GATEWAY_QUEUE")
    assert int(answer.headers["retry-after"]) >= 1


def test_a_slow_engine_is_given_up_undecided(tmp_path: Path) -> None:
    limits = Limits(request_timeout_s=0.05)
    engine = FakeEngine(seconds=30)
    with TestClient(build_api(make_gateway(tmp_path, engine=engine, limits=limits))) as client:
        answer = client.post("/v1/moderate", json=asked("fine"))
    refused(answer, 504, "", "WRANER_REQUEST_TIMEOUT_S")
    assert engine.cancelled == 1
