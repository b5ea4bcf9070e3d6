"""Properties: no body whatever gives a 500, and every entity stands where it says."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services import examples
from services.api import build_api
from services.offsets import converter
from tests.services.fakes import make_gateway

ROUTES = {
    "ExtractRequest": ("POST", "/v1/extract"),
    "ModerateRequest": ("POST", "/v1/moderate"),
    "Domain": ("PUT", "/v1/domains/any"),
    "PolicySet": ("PUT", "/v1/policy-sets/any"),
    "AddTaggedExamples": ("POST", "/v1/domains/kept/examples"),
    "AddJudgedExamples": ("POST", "/v1/policy-sets/kept/examples"),
}
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["all", "city", "no-spam", "\ud800", "", " ", "\x00", 10**400])
)
FIELDS = (
    *("text", "domain", "inline", "entity_types", "examples", "entities", "start", "end", "label"),
    *("name", "definition", "policies", "policy_set", "id", "title", "violates", "complies", "k"),
)
KEYS = st.sampled_from(FIELDS) | st.text(max_size=4)
ANY = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=12,
)


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, Any]:
    """A worked example with one or two places replaced, removed or added."""
    name = draw(st.sampled_from(sorted(ROUTES)))
    body = json.loads(json.dumps(examples.REQUESTS[name]))
    for _ in range(draw(st.integers(1, 2))):
        node: Any = body
        while True:
            if not isinstance(node, dict | list) or not node:
                break
            key = draw(
                st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node)))
            )
            if not isinstance(node[key], dict | list) or draw(st.booleans()):
                change = draw(st.sampled_from(["replace", "remove", "add"]))
                if change == "replace":
                    node[key] = draw(ANY)
                elif change == "remove":
                    del node[key]
                elif isinstance(node, dict):
                    node[draw(KEYS)] = draw(ANY)
                break
            node = node[key]
    return name, body


@pytest.fixture(scope="module")
def steady(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    with TestClient(build_api(make_gateway(tmp_path_factory.mktemp("state")))) as client:
        client.put("/v1/domains/kept", json=examples.REQUESTS["Domain"])
        client.put("/v1/policy-sets/kept", json=examples.REQUESTS["PolicySet"])
        yield client


def check(client: TestClient, name: str, raw: bytes) -> None:
    method, url = ROUTES[name]
    headers = {"content-type": "application/json"}
    answer = client.request(method, url, content=raw, headers=headers)
    if answer.status_code >= 300:
        assert 400 <= answer.status_code < 500, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["detail"]
        if problem["pointer"]:
            assert problem["pointer"].startswith("/")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mutated())
def test_no_mutated_example_gives_a_500(steady: TestClient, sent: tuple[str, Any]) -> None:
    check(steady, sent[0], json.dumps(sent[1]).encode())


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(ROUTES)), ANY | st.dictionaries(KEYS, ANY, max_size=5))
def test_no_json_gives_a_500(steady: TestClient, name: str, body: Any) -> None:
    check(steady, name, json.dumps(body).encode())


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(ROUTES)), st.binary(max_size=60))
def test_no_bytes_give_a_500(steady: TestClient, name: str, raw: bytes) -> None:
    check(steady, name, raw)


TEXT = st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("AZ😀 \n"), min_size=1)


@settings(max_examples=150, deadline=None)
@given(TEXT.filter(str.strip), st.sampled_from(["codepoint", "utf16"]))
def test_every_entity_stands_where_it_says(steady: TestClient, text: str, unit: str) -> None:
    body = {"inline": {"entity_types": [{"name": "x"}]}, "text": text, "offset_unit": unit}
    answer = steady.post("/v1/extract", json=body)
    assert answer.status_code == 200, answer.text
    units = text if unit == "codepoint" else text.encode("utf-16-le")
    width = 1 if unit == "codepoint" else 2
    for entity in answer.json()["results"][0]["entities"]:
        found = units[entity["start"] * width : entity["end"] * width]
        assert (found if isinstance(found, str) else found.decode("utf-16-le")) == entity["text"]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_utf16_positions_are_exact(text: str) -> None:
    position = converter(text, "utf16")
    for at in range(len(text) + 1):
        assert position(at) == len(text[:at].encode("utf-16-le")) // 2
