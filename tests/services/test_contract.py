"""Every route of the contract answers as the contract says, field for field."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services import drop_in_examples, examples, schema
from services.api import build_api
from services.perspective import AnalyzeCommentResponse
from tests.services.fakes import FakeEngine, FakeIndex, make_gateway
from wraner.errors import Unavailable

DOMAIN = examples.REQUESTS["Domain"]
POLICIES = examples.REQUESTS["PolicySet"]


def made(client: TestClient, url: str, body: Any) -> str:
    answer = client.put(url, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["version"])


def test_extract_inline(client: TestClient) -> None:
    request = {"inline": {"entity_types": [{"name": "city"}]}, "text": "we saw Ghent"}
    answer = client.post("/v1/extract", json=request)
    assert answer.status_code == 200
    body = answer.json()
    assert body["results"] == [
        {
            "entities": [{"start": 7, "end": 12, "text": "Ghent", "label": "city", "score": 0.9}],
            "neighbours": [],
            "coverage": {"characters": 12, "windows": 1, "truncated": False},
        }
    ]
    assert set(body["versions"]) == {"model", "adapter", "pack", "index"}


def test_extract_from_a_stored_domain_cites_its_examples(client: TestClient) -> None:
    version = made(client, "/v1/domains/travel", DOMAIN)
    request = {"domain": "travel", "text": ["in Lyon", "nowhere"], "k": 1, "min_score": 0.95}
    body = client.post("/v1/extract", json=request).json()
    assert [r["entities"] for r in body["results"]] == [[], []]
    assert [len(r["neighbours"]) for r in body["results"]] == [1, 1]
    assert body["versions"]["pack"] == version
    assert body["versions"]["index"] == f"index-{version}"


def test_extract_only_some_types(client: TestClient) -> None:
    types = [{"name": "person"}, {"name": "city"}]
    request = {"inline": {"entity_types": types}, "text": "Ghent", "entity_types": ["city"]}
    body = client.post("/v1/extract", json=request).json()
    assert [e["label"] for e in body["results"][0]["entities"]] == ["city"]


def test_moderate(client: TestClient) -> None:
    version = made(client, "/v1/policy-sets/forum", POLICIES)
    request = {"policy_set": "forum", "text": ["a bad thing", "a thing"], "exhaustive": True}
    body = client.post("/v1/moderate", json=request).json()
    bad, good = body["results"]
    assert (bad["decision"], bad["flagged"], good["decision"]) == ("violates", True, "allowed")
    assert bad["matches"][0]["policy"] == "no-spam" and bad["matches"][0]["tier"] == 1
    assert bad["matches"][0]["evidence"] == [{"start": 0, "end": 1}]
    assert bad["coverage"]["policies_judged"] == ["no-spam"]
    assert bad["coverage"]["policies_skipped"] == 0 and bad["calibrated"] is False
    assert body["versions"]["pack"] == version


def test_a_pack_lives_from_put_to_delete(client: TestClient) -> None:
    url = "/v1/domains/travel"
    first = made(client, url, DOMAIN)
    again = client.put(url, json=DOMAIN)
    assert (again.status_code, again.json()["version"]) == (200, first)
    read = client.get(url)
    assert read.headers["etag"] == f'"{first}"'
    assert read.json()["entity_types"] == DOMAIN["entity_types"] and read.json()["examples"] == 1
    assert client.get(url, headers={"If-None-Match": f'"{first}"'}).status_code == 304
    assert [d["name"] for d in client.get("/v1/domains").json()["domains"]] == ["travel"]
    assert client.delete(url).status_code == 204
    assert client.get(url).status_code == 404 and client.delete(url).status_code == 404
    assert client.get("/v1/domains").json()["domains"] == []


@pytest.mark.parametrize(
    ("url", "pack", "addition"),
    [
        ("/v1/domains/travel", DOMAIN, examples.REQUESTS["AddTaggedExamples"]),
        ("/v1/policy-sets/forum", POLICIES, examples.REQUESTS["AddJudgedExamples"]),
    ],
)
def test_examples_come_and_go(client: TestClient, url: str, pack: Any, addition: Any) -> None:
    before = made(client, url, pack)
    count = len(pack["examples"])
    added = client.post(f"{url}/examples", json=addition)
    assert (added.status_code, added.json()["examples"]) == (201, count + 1)
    again = client.post(f"{url}/examples", json=addition)
    assert (again.status_code, again.json()) == (200, added.json())
    changed = json.loads(json.dumps(addition))
    changed["examples"][0]["text"] += " And more."
    assert client.post(f"{url}/examples", json=changed).status_code == 409
    gone = client.delete(f"{url}/examples/{addition['examples'][0]['id']}")
    assert (gone.status_code, gone.json()["version"]) == (200, before)
    assert client.delete(f"{url}/examples/{addition['examples'][0]['id']}").status_code == 404


def test_examples_are_paged(client: TestClient) -> None:
    made(client, "/v1/domains/travel", DOMAIN)
    more = [{"id": f"a/{n}", "text": f"number {n}"} for n in range(5)]
    client.post("/v1/domains/travel/examples", json={"examples": more})
    seen, after = [], ""
    while after is not None:
        page = client.get("/v1/domains/travel/examples", params={"limit": 2, "after": after}).json()
        seen += [e["id"] for e in page["examples"]]
        after = page["next"]
    assert len(seen) == 6 and seen[1:] == [e["id"] for e in more]
    assert client.get("/v1/domains/travel/examples?after=zzz").status_code == 404
    assert client.delete("/v1/domains/travel/examples/a%2F3").status_code == 200


def test_health_metrics_and_request_ids(
    client: TestClient, engine: FakeEngine, index: FakeIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/healthz").json()["status"] == "ok"
    assert client.get("/readyz").status_code == 200
    with monkeypatch.context() as patched:

        async def away(*_: Any) -> Any:
            raise Unavailable("the encoder is being loaded")

        patched.setattr(index, "neighbours", away)
        ready = client.get("/readyz")
        assert ready.status_code == 503 and "being loaded" in ready.json()["detail"]
    engine.error = RuntimeError("loading")
    assert client.get("/readyz").status_code == 503
    kept = client.get("/healthz", headers={"X-Request-ID": "abc-1"})
    assert kept.headers["x-request-id"] == "abc-1"
    made_up = client.get("/nowhere", headers={"X-Request-ID": "a b\x07"})
    assert made_up.headers["x-request-id"] == made_up.json()["request_id"] != "a b\x07"
    assert 'route="/healthz",status="200"} 2.0' in client.get("/metrics").text


def test_an_id_that_a_server_in_front_returns_goes_out_once(tmp_path: Path) -> None:
    with TestClient(build_api(make_gateway(tmp_path), echoed=True)) as client:
        for sent, told in (("abc-1", "abc-1"), ("a b\x07", "a b\\x07"), ("a" * 200, "a" * 128)):
            answer = client.get("/nowhere", headers={"X-Request-ID": sent})
            assert "x-request-id" not in answer.headers
            assert answer.json()["request_id"] == told
        assert len(client.get("/nowhere").json()["request_id"]) == 32


def test_what_can_be_read_answers_head_too(client: TestClient) -> None:
    version = made(client, "/v1/domains/travel", DOMAIN)
    paths = ("/healthz", "/readyz", "/v1/domains", "/v1/domains/travel", "/docs", "/openapi.json")
    for path in paths:
        head, read = client.head(path), client.get(path)
        assert (head.status_code, head.content) == (200, b""), path
        assert head.headers["content-length"] == read.headers["content-length"]
    assert client.head("/v1/domains/travel").headers["etag"] == f'"{version}"'
    assert client.head("/v1/domains/none").status_code == 404
    assert client.head("/v1/extract").status_code == 405
    assert 'method="HEAD",route="/healthz",status="200"} 1.0' in client.get("/metrics").text
    operations = client.get("/openapi.json").json()["paths"].values()
    assert not any("head" in methods for methods in operations)


def test_an_answer_to_head_has_no_body_whatever_serves_it(tmp_path: Path) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "HEAD",
        "path": "/healthz",
        "headers": [],
        "query_string": b"",
    }
    asyncio.run(build_api(make_gateway(tmp_path))(scope, receive, send))
    assert sent[0]["status"] == 200 and b"".join(m["body"] for m in sent[1:]) == b""


def test_the_document_asks_for_no_more_than_answers_hold(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    schemas = described["components"]["schemas"]
    comment = drop_in_examples.REQUESTS["AnalyzeCommentRequest"]
    fault = client.post("/v1alpha1/comments:analyze", json=comment).json()["error"]
    assert "details" not in fault and set(schemas["GoogleFault"]["required"]) <= set(fault)
    left_out = AnalyzeCommentResponse(attribute_scores={}, languages=(), calibrated=False)
    answer = left_out.model_dump(by_alias=True)
    assert "clientToken" not in answer
    assert set(schemas["AnalyzeCommentResponse"]["required"]) <= set(answer)
    routes = described["paths"]
    read = routes["/v1/domains/{name}"]["get"]["responses"]
    assert "content" in read["200"] and "content" not in read["304"]
    assert set(routes["/metrics"]["get"]["responses"]["200"]["content"]) == {"text/plain"}


def test_openapi_has_a_worked_example_for_every_route(client: TestClient) -> None:
    described = client.get("/openapi.json").json()
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            if method in ("post", "put"):
                content = route["requestBody"]["content"]["application/json"]
                assert content["examples"], path
            if path.startswith("/v1") and (path, method) != ("/v1/domains/{name}", "delete"):
                assert route["responses"], path
    text = json.dumps(described)
    names = set(described["components"]["schemas"])
    assert {
        r.split("/")[-1].strip('"') for r in text.split('"$ref": ')[1:] for r in [r.split('"')[1]]
    } <= names


def test_the_worked_examples_are_what_is_sent_and_answered(client: TestClient) -> None:
    posted = examples.REQUESTS
    assert client.post("/v1/extract", json=posted["ExtractRequest"]).status_code == 200
    assert client.post("/v1/moderate", json=posted["ModerateRequest"]).status_code == 200
    for name, example in examples.RESPONSES.items():
        getattr(schema, name).model_validate(example)
    answer = examples.RESPONSES["ExtractResponse"]["results"][0]
    for entity in answer["entities"]:
        source = posted["ExtractRequest"]["text"]
        assert source[entity["start"] : entity["end"]] == entity["text"]


def test_no_answer_mixes_versions(tmp_path: Any) -> None:
    """The pack changes while a request is under way; the answer is all of the old one."""
    engine, index = FakeEngine(), FakeIndex()
    client = TestClient(build_api(make_gateway(tmp_path, engine=engine, index=index)))
    old = made(client, "/v1/domains/travel", DOMAIN)
    search = index.neighbours

    async def change_first(*arguments: Any) -> Any:
        client.put("/v1/domains/travel", json={**DOMAIN, "examples": []})
        return await search(*arguments)

    index.neighbours = change_first  # type: ignore[method-assign]
    body = client.post("/v1/extract", json={"domain": "travel", "text": "in Lyon"}).json()
    assert (body["versions"]["pack"], body["versions"]["index"]) == (old, f"index-{old}")
    assert len(body["results"][0]["neighbours"]) == 1
