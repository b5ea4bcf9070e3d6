"""What a fault in a body is told in, whichever kind of model found it."""

import pytest
from fastapi.testclient import TestClient

from services.problems import explain
from wraner.errors import DeadlineExceeded

DOMAIN = {"entity_types": [{"name": "city"}]}


@pytest.mark.parametrize("field", ["text", "score"])
def test_a_found_entity_is_told_which_fields_an_example_does_not_have(
    client: TestClient, field: str
) -> None:
    assert client.put("/v1/domains/d", json=DOMAIN).status_code == 201
    answer = client.post("/v1/extract", json={"domain": "d", "text": "Ann"}).json()
    (found,) = answer["results"][0]["entities"]
    entity = {key: found[key] for key in ("start", "end", "label", field)}
    sent = {"examples": [{"text": "Ann", "entities": [entity]}]}
    refused = client.post("/v1/domains/d/examples", json=sent)
    assert refused.status_code == 422
    assert refused.json()["pointer"] == f"/examples/0/entities/0/{field}"
    told = "this field is not known; remove it or correct its name"
    assert refused.json()["detail"] == told


def test_a_late_answer_without_words_says_what_may_be_less() -> None:
    detail = explain(DeadlineExceeded()).problem.detail
    assert "send less at once (texts, definitions, examples) or try again later" in detail
