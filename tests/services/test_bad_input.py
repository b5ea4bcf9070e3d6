"""Whatever is wrong with a request is told with its place and the way out; never a 500."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.api import build_api
from services.settings import Limits
from tests.services.fakes import FakeEngine, FakeIndex, make_gateway
from wraner.errors import DeadlineExceeded, InvalidInput, Overloaded, Unavailable

JSON = {"content-type": "application/json"}
TYPES = {"entity_types": [{"name": "city"}]}
POLICY = {"id": "p", "title": "P", "definition": "d"}


def inline(**more: Any) -> dict[str, Any]:
    return {"inline": TYPES, "text": "x", **more}


def with_example(example: Any) -> dict[str, Any]:
    return {"inline": {**TYPES, "examples": [example]}, "text": "x"}


def tagged(*spans: tuple[Any, Any, str]) -> dict[str, Any]:
    entities = [{"start": s, "end": e, "label": label} for s, e, label in spans]
    return {"text": "Ghent and Lyon", "entities": entities}


def refused(answer: Any, status: int, pointer: str, words: str = "") -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "pointer", "request_id"}
    assert problem["status"] == status and problem["pointer"] == pointer, problem
    assert problem["request_id"] == answer.headers["x-request-id"] and problem["detail"]
    assert words in problem["detail"], problem["detail"]


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        (inline(text=""), "/text", "visible"),
        (inline(text=" \n"), "/text", "visible"),
        (inline(text=[]), "/text", "at least 1"),
        (inline(text=["a", "b", "", "c"]), "/text/2", "visible"),
        (inline(text=["a", 7]), "/text/1", "expected a string, was: 7"),
        (inline(text=7), "/text", "expected a string or expected an array, was: 7"),
        (inline(text={}), "/text", "was: an object"),
        (inline(text=None), "/text", "was: null"),
        (inline(text="x" * 20_001), "/text", "WRANER_MAX_CHARACTERS"),
        (inline(text="x" * 100_000), "/text", "20000 characters"),
        (inline(text=["x"] * 65), "/text", "WRANER_MAX_TEXTS"),
        ({"text": "x"}, "/domain", "neither"),
        (inline(domain="travel"), "/domain", "both"),
        ({"domain": None, "text": "x"}, "/domain", "neither"),
        ({"domain": "No Name", "text": "x"}, "/domain", "lower-case"),
        ({"inline": TYPES}, "/text", "missing"),
        (inline(texts=["x"]), "/texts", "not known"),
        (inline(k=-1), "/k", "greater than or equal to 0"),
        (inline(k=1.5), "/k", "integer"),
        (inline(k="3"), "/k", "integer"),
        (inline(k=True), "/k", "integer"),
        (inline(min_score=2), "/min_score", "1"),
        (inline(min_score="0"), "/min_score", "number"),
        (inline(offset_unit="bytes"), "/offset_unit", "'codepoint' or 'utf16'"),
        (inline(entity_types=["town"]), "/entity_types/0", "declared are: city"),
        (inline(entity_types=["city", "city"]), "/entity_types/1", "twice"),
        (inline(entity_types=[]), "/entity_types", "at least 1"),
        ({"inline": {"entity_types": []}, "text": "x"}, "/inline/entity_types", "at least 1"),
        ({"inline": {}, "text": "x"}, "/inline/entity_types", "missing"),
        ({"inline": [], "text": "x"}, "/inline", "an object"),
        (
            {"inline": {"entity_types": [{"name": "a"}, {"name": "a"}]}, "text": "x"},
            "/inline/entity_types/1/name",
            "unique",
        ),
        (
            {"inline": {"entity_types": [{"name": "a\nb"}]}, "text": "x"},
            "/inline/entity_types/0/name",
            "one non-empty line",
        ),
        (
            {"inline": {"entity_types": [{"name": "a" * 101}]}, "text": "x"},
            "/inline/entity_types/0/name",
            "100",
        ),
        (with_example({"text": ""}), "/inline/examples/0/text", "visible"),
        (
            with_example(tagged((0, 99, "city"))),
            "/inline/examples/0/entities/0",
            "end <= 14",
        ),
        (
            with_example(tagged((5, 5, "city"))),
            "/inline/examples/0/entities/0",
            "start < end",
        ),
        (
            with_example(tagged((-1, 5, "city"))),
            "/inline/examples/0/entities/0/start",
            "greater",
        ),
        (
            with_example(tagged((0, "5", "city"))),
            "/inline/examples/0/entities/0/end",
            "integer",
        ),
        (
            with_example(tagged((0, 5, "city"), (0, 9, "city"))),
            "/inline/examples/0/entities/1",
            "overlap",
        ),
        (
            with_example(tagged((0, 5, "town"))),
            "/inline/examples/0/entities/0/label",
            "not declared",
        ),
        (
            with_example({**tagged(), "tags": []}),
            "/inline/examples/0/tags",
            "not known",
        ),
        (
            with_example({"text": "x", "entities": [{"start": 0, "end": 1}]}),
            "/inline/examples/0/entities/0/label",
            "missing",
        ),
        (with_example({"text": "x" * 20_001}), "/inline/examples/0/text", "MAX_CHARACTERS"),
        ([], "", "an object"),
        ("x", "", "an object"),
    ],
)
def test_extract_refuses(client: TestClient, body: Any, pointer: str, words: str) -> None:
    refused(client.post("/v1/extract", json=body), 422, pointer, words)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"text": "x"}, "/policy_set"),
        ({"policy_set": "a", "inline": {"policies": [POLICY]}, "text": "x"}, "/policy_set"),
        ({"inline": {"policies": [POLICY, POLICY]}, "text": "x"}, "/inline/policies/1/id"),
        ({"inline": {"policies": [POLICY]}, "text": "x", "policies": ["q"]}, "/policies/0"),
        ({"inline": {"policies": [POLICY]}, "text": "x", "threshold": 2}, "/threshold"),
        ({"inline": {"policies": [POLICY]}, "text": "x", "exhaustive": 1}, "/exhaustive"),
        ({"inline": {"policies": [{**POLICY, "tier": 0}]}, "text": "x"}, "/inline/policies/0/tier"),
        (
            {
                "inline": {
                    "policies": [POLICY],
                    "examples": [{"text": "a", "violates": ["p"], "complies": "all"}],
                },
                "text": "x",
            },
            "/inline/examples/0/complies",
        ),
        (
            {
                "inline": {"policies": [POLICY], "examples": [{"text": "a", "complies": "some"}]},
                "text": "x",
            },
            "/inline/examples/0/complies",
        ),
        (
            {
                "inline": {"policies": [POLICY], "examples": [{"text": "a", "violates": ["z"]}]},
                "text": "x",
            },
            "/inline/examples/0/violates/0",
        ),
    ],
)
def test_moderate_refuses(client: TestClient, body: Any, pointer: str) -> None:
    refused(client.post("/v1/moderate", json=body), 422, pointer)


@pytest.mark.parametrize(
    ("raw", "pointer", "words"),
    [
        (b"", "", "not valid JSON"),
        (b"{", "", "line 1"),
        (b'{"text": "\xff"}', "", "UTF-8 at byte 10"),
        (b'{"text": "\xed\xa0\x80"}', "", "UTF-8"),
        (b'{"text": "\\ud800"}', "/text", "surrogate"),
        (b'{"text": ["a", "\\udc00\\ud83d"]}', "/text/1", "surrogate"),
        (b'{"\\ud800": 1}', "", "surrogate"),
        (b'{"text": "a", "text": "b"}', "/text", "twice"),
        (b'{"inline": {"a/b~": 1, "a/b~": 2}}', "/inline/a~1b~0", "twice"),
        (b'{"text": "a", "min_score": NaN}', "/min_score", "NaN"),
        (b'{"text": "a", "k": -Infinity}', "/k", "-Infinity"),
        (b'{"text": "a", "domain": "d", "min_score": 1e999}', "/min_score", "finite"),
        (b'{"k": ' + b"9" * 9000 + b"}", "", "digits"),
        (b'{"": [{"a": NaN}]}', "//0/a", "NaN"),
        (b"[" * 200_000, "", "nested too deeply"),
        (b'{"text":' * 50_000, "", "nested too deeply"),
    ],
)
def test_broken_json_is_refused(client: TestClient, raw: bytes, pointer: str, words: str) -> None:
    refused(client.post("/v1/extract", content=raw, headers=JSON), 422, pointer, words)


def test_half_a_pair_is_refused_but_a_whole_one_is_text(client: TestClient) -> None:
    raw = b'{"inline": {"entity_types": [{"name": "city"}]}, "text": "\\ud83d\\ude00 Ghent"}'
    answer = client.post("/v1/extract", content=raw, headers=JSON)
    assert answer.json()["results"][0]["entities"][0]["start"] == 2


@pytest.mark.parametrize(
    "text",
    [
        "a\x00B\x00 Ghent",
        "שלום Ghent עולם",
        "我在北京工作 Ghent",
        "😀👩‍👩‍👧 Ghent 🇧🇪",
        "e\u0301 Ghent\u2028Lyon\u0085x",
        "<|im_start|>system Ghent<|im_end|>",
        "\ufeff\u200b",
        "\x1c\x1d.",
    ],
)
def test_unusual_text_is_answered(client: TestClient, text: str) -> None:
    answer = client.post("/v1/extract", json=inline(text=text))
    assert answer.status_code == 200, answer.text
    for entity in answer.json()["results"][0]["entities"]:
        assert text[entity["start"] : entity["end"]] == entity["text"]


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "json"])
def test_other_content_types_are_refused(client: TestClient, kind: str) -> None:
    headers = {"content-type": kind}
    refused(client.post("/v1/extract", content=b"{}", headers=headers), 415, "", kind)


def test_a_body_without_a_type_is_refused_as_a_page_could_have_it_sent(client: TestClient) -> None:
    for method, url in (("POST", "/v1/extract"), ("PUT", "/v1/domains/d")):
        answer = client.request(method, url, content=json.dumps(TYPES).encode())
        refused(answer, 415, "", "Content-Type: application/json, was: none; send that header")
    assert client.get("/v1/domains/d").status_code == 404
    assert client.put("/v1/domains/d", json=TYPES).status_code == 201
    assert client.delete("/v1/domains/d").status_code == 204


def test_packed_bodies_are_read_up_to_the_limit(client: TestClient) -> None:
    headers = {**JSON, "content-encoding": "gzip"}

    def sent(body: bytes, **more: str) -> Any:
        return client.post("/v1/extract", content=body, headers=headers | more)

    packed = gzip.compress(json.dumps(inline()).encode())
    assert sent(packed).json() == client.post("/v1/extract", json=inline()).json()
    refused(sent(gzip.compress(b" " * 10_000_000)), 413, "", "2000000 bytes")
    refused(sent(packed[:-9]), 422, "", "does not end where its gzip does")
    refused(sent(packed + b"x"), 422, "", "does not end where its gzip does")
    refused(sent(b"{}"), 422, "", "the body is no gzip")
    answer = sent(packed, **{"content-encoding": "br"})
    refused(answer, 415, "", "expected Content-Encoding: gzip, or none, was: br")
    assert answer.headers["accept-encoding"] == "gzip"


def test_unknown_routes_methods_and_queries(client: TestClient) -> None:
    refused(client.get("/v2/extract"), 404, "")
    refused(client.post("/v1/extract/", json=inline()), 404, "")
    answer = client.get("/v1/extract")
    refused(answer, 405, "")
    assert answer.headers["allow"] == "POST"
    for url, allowed in (
        ("/v1/domains/d", "DELETE, GET, HEAD, PUT"),
        ("/v1/domains/d/examples", "GET, HEAD, POST"),
        ("/v1/domains/d/examples/e", "DELETE"),
        ("/healthz", "GET, HEAD"),
        ("/static-offline-docs/swagger-ui.css", "GET, HEAD"),
    ):
        assert client.patch(url).headers["allow"] == allowed
    refused(client.post("/v1/extract?k=3", json=inline()), 422, "", "query parameter 'k'")
    refused(client.get("/v1/domains/d/examples?limit=0"), 422, "", "limit")


def test_what_is_not_there(client: TestClient) -> None:
    body = {"domain": "nope", "text": "x"}
    refused(client.post("/v1/extract", json=body), 404, "/domain", "PUT /v1/domains/nope")
    body = {"policy_set": "nope", "text": "x"}
    refused(client.post("/v1/moderate", json=body), 404, "/policy_set")
    for method, url in (
        ("GET", "/v1/domains/nope"),
        ("DELETE", "/v1/domains/nope"),
        ("GET", "/v1/policy-sets/nope/examples"),
        ("DELETE", "/v1/domains/nope/examples/x"),
    ):
        refused(client.request(method, url), 404, "")
    more = {"examples": [{"text": "x"}]}
    refused(client.post("/v1/domains/nope/examples", json=more), 404, "")


@pytest.mark.parametrize("name", ["A", "a_b", "a" * 64, "%C3%A4", "a%00", "%2e%2e"])
def test_names_that_cannot_be(client: TestClient, name: str) -> None:
    answer = client.put(f"/v1/domains/{name}", json=TYPES)
    assert answer.status_code in (404, 405, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_limits_on_examples(tmp_path: Path) -> None:
    limits = Limits(max_changed_examples=2, max_characters=10)
    client = TestClient(build_api(make_gateway(tmp_path, limits=limits)))
    three = [{"text": f"t{n}"} for n in range(3)]
    url = "/v1/domains/d"
    refused(client.put(url, json={**TYPES, "examples": three}), 422, "/examples", "MAX_CHANGED")
    assert client.put(url, json={**TYPES, "examples": three[:2]}).status_code == 201
    # Three examples in all, but only one of them is new.
    assert client.put(url, json={**TYPES, "examples": three}).status_code == 200
    refused(client.post(f"{url}/examples", json={"examples": three}), 422, "/examples", "2 new")
    long = {"examples": [{"text": "x" * 11}]}
    refused(client.post(f"{url}/examples", json=long), 422, "/examples/0/text", "10 characters")
    more = {"inline": {**TYPES, "examples": three}, "text": "x"}
    refused(client.post("/v1/extract", json=more), 422, "/inline/examples", "MAX_CHANGED")


@pytest.mark.parametrize(
    ("error", "status", "pointer"),
    [
        (Overloaded("full", retry_after_s=3.2), 429, ""),
        (DeadlineExceeded("late"), 504, ""),
        (Unavailable("gone"), 503, ""),
        (InvalidInput("too long", pointer="/text"), 422, "/text"),
        (TimeoutError(), 504, ""),
    ],
)
def test_the_engines_errors_have_their_status(
    client: TestClient, engine: FakeEngine, error: Exception, status: int, pointer: str
) -> None:
    engine.error = error
    answer = client.post("/v1/extract", json=inline())
    refused(answer, status, pointer)
    if status == 429:
        assert answer.headers["retry-after"] == "4"


def test_our_own_faults_tell_nothing_of_the_inside(
    client: TestClient, engine: FakeEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    engine.error = RuntimeError("secret text")
    answer = client.post("/v1/extract", json=inline(text="Very private words"))
    refused(answer, 500, "")
    assert "secret" not in answer.text
    logged = capsys.readouterr().out
    assert "RuntimeError" in logged and answer.headers["x-request-id"] in logged
    assert "private" not in logged and "secret" not in logged


def test_a_slow_engine_is_given_up(tmp_path: Path) -> None:
    engine = FakeEngine(seconds=30)
    gateway = make_gateway(tmp_path, engine=engine, limits=Limits(request_timeout_s=0.05))
    client = TestClient(build_api(gateway))
    refused(
        client.post("/v1/extract", json=inline()),
        504,
        "",
        "_TIMEOUT_S); send less at once (texts, def",
    )
    assert engine.cancelled == 1


def test_a_damaged_pack_is_told_and_can_be_stored_anew(client: TestClient, tmp_path: Path) -> None:
    client.put("/v1/domains/whole", json=TYPES)
    version = client.put("/v1/domains/broken", json=TYPES).json()["version"]
    folder = tmp_path / "domains" / "broken" / "versions" / version
    (folder / "pack.yaml").write_text("kind: [")
    # A fresh process has nothing cached.
    fresh = TestClient(build_api(make_gateway(tmp_path, index=FakeIndex())))
    refused(fresh.get("/v1/domains/broken"), 503, "", "pack.yaml")
    body = {"domain": "broken", "text": "x"}
    refused(fresh.post("/v1/extract", json=body), 503, "/domain", "PUT /v1/domains/broken")
    listed = fresh.get("/v1/domains").json()
    assert [d["name"] for d in listed["domains"]] == ["whole"]
    assert [d["name"] for d in listed["damaged"]] == ["broken"]
    more = {"examples": [{"text": "x"}]}
    refused(fresh.post("/v1/domains/broken/examples", json=more), 503, "")
    assert fresh.put("/v1/domains/broken", json=TYPES).status_code == 200
    assert fresh.post("/v1/extract", json=body).status_code == 200
    (folder.parent.parent / "CURRENT").write_text("?")
    refused(fresh.get("/v1/domains/broken"), 503, "", "CURRENT")
    assert fresh.put("/v1/domains/broken", json=TYPES).status_code == 201
    (folder.parent.parent / "CURRENT").write_text("?")
    assert fresh.delete("/v1/domains/broken").status_code == 204


def test_a_failed_build_leaves_everything_as_it_was(client: TestClient, index: FakeIndex) -> None:
    client.put("/v1/domains/d", json=TYPES)
    before = client.get("/v1/domains/d").json()
    index.error = Unavailable("the encoder is gone")
    refused(client.put("/v1/domains/d", json={**TYPES, "description": "new"}), 503, "")
    refused(client.put("/v1/domains/e", json={**TYPES, "description": "other"}), 503, "")
    assert client.get("/v1/domains/d").json() == before
    assert client.get("/v1/domains/e").status_code == 404
    assert json.dumps(client.get("/v1/domains").json()).count('"name":') >= 1
