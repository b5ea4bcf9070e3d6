"""What is wrong with a large body is found in steps and memory that grow no faster than it."""

import json
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from services.bodies import decode
from services.intake import parse
from services.openai_moderations import ModerationCreateRequest
from services.perspective import AnalyzeCommentRequest
from services.schema import ExtractRequest
from wraner.errors import InvalidInput
from wraner.packs import Domain, PolicySet

MANY = 100_000
POLICY = {"id": "p", "title": "P", "definition": "d"}


def keys(count: int) -> bytes:
    return b", ".join(b'"k%d": 1' % n for n in range(count))


def refused(body: bytes, model: type[BaseModel]) -> tuple[InvalidInput, int]:
    """Return why a body is refused, and how many bytes it took at most to say so."""
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInput) as caught:
            parse(body, model)
        return caught.value, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_large_bodies_are_cut_off(client: TestClient) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(1000):
            yield b"x" * 10_000

    for body in (b"x" * 10_000_000, endless()):
        headers = {"content-type": "application/json"}
        answer = client.post("/v1/extract", content=body, headers=headers)
        assert answer.status_code == 413, answer.text
        assert "limit of 2000000 bytes (WRANER_MAX_BODY_BYTES)" in answer.json()["detail"]


def test_a_place_in_a_body_is_written_out_only_where_it_is_at_fault() -> None:
    steps = ["k" * 200] * 50
    body: Any = ["x", 1, True] * 10_000
    for step in steps:
        body = {step: body}
    whole = json.dumps({"a": "\U0001f600", "b": body}).encode()
    tracemalloc.start()
    assert decode(whole)["a"] == "\U0001f600"
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert taken < 20_000_000  # a place for each item would be 300 MB
    halved = json.dumps({"b": body | {"c": "\ud83d"}}).encode()
    with pytest.raises(InvalidInput) as caught:
        decode(halved)
    assert caught.value.pointer == "/b/c"


@pytest.mark.parametrize(
    ("body", "model", "pointer"),
    [
        ({"domain": "x", "text": [1] * MANY}, ExtractRequest, "/text/0"),
        ({"entity_types": [1] * MANY}, Domain, "/entity_types/0"),
        ({"entity_types": [{"name": "x"}], "examples": [1] * MANY}, Domain, "/examples/0"),
        (
            {"policies": [POLICY], "examples": [{"text": "x", "complies": [1] * MANY}]},
            PolicySet,
            "/examples/0/complies/0",
        ),
        ({"policies": [{**POLICY, "includes": [1] * MANY}]}, PolicySet, "/policies/0/includes/0"),
        ({"input": [1] * MANY}, ModerationCreateRequest, "/input/0"),
        (
            {"comment": {"text": "a"}, "languages": [1] * MANY},
            AnalyzeCommentRequest,
            "/languages/0",
        ),
    ],
)
def test_an_array_is_read_up_to_its_first_fault(
    body: Any, model: type[BaseModel], pointer: str
) -> None:
    fault, taken = refused(json.dumps(body).encode(), model)
    assert fault.pointer == pointer and taken < 10_000_000


@pytest.mark.parametrize(("key", "count"), [("k" * 50_000, 1000), ("k", MANY)])
def test_long_keys_and_many_are_not_repeated_in_every_fault(key: str, count: int) -> None:
    attribute = {str(n): 1 for n in range(count)}
    body = {"comment": {"text": "a"}, "requestedAttributes": {key: attribute}}
    fault, taken = refused(json.dumps(body).encode(), AnalyzeCommentRequest)
    assert "keys" in str(fault) and taken < 30_000_000


@pytest.mark.parametrize(
    ("body", "pointer", "words"),
    [
        (b'{"a": 1, "' + b"k" * 201 + b'": 1}', "", "up to 200 characters, was: 201"),
        (b'{"a": {%b}}' % keys(101), "/a", "up to 100 keys in an object, was: 101"),
        (b'{"a": {%b, "k98": 2}}' % keys(99), "/a/k98", "'k98' comes twice"),
        # To count each of the keys took minutes.
        (b'{"a": {%b, "k%d": 2}}' % (keys(MANY), MANY - 1), "/a", f"was: {MANY + 1}"),
    ],
)
def test_too_many_keys_are_told(body: bytes, pointer: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        decode(body)
    assert caught.value.pointer == pointer
    assert decode(b"{%b}" % keys(100))["k99"] == 1 and decode(b'{"%b": 1}' % (b"k" * 200))
