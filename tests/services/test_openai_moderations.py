"""`POST /v1/moderations` over fakes, and asked by OpenAI's own client."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from fastapi.testclient import TestClient

from services import drop_in_examples
from services.adapters import AdapterChoice
from services.openai_moderations import CATEGORIES, ModerationCreateResponse
from services.traffic import Meter
from tests.services.drop_in_service import (
    MAPPING,
    NAMES,
    NEITHER,
    PolicyEngine,
    asking,
    listening,
)
from wraner.errors import Overloaded, Unavailable

URL = "/v1/moderations"
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}


@pytest.fixture
def engine() -> PolicyEngine:
    return PolicyEngine()


@pytest.fixture
def client(tmp_path: Path, engine: PolicyEngine, meter: Meter) -> Iterator[TestClient]:
    with asking(tmp_path, engine, meter=meter) as client:
        yield client


def asked(client: TestClient, given: Any) -> Any:
    answer = client.post(URL, json={"input": given})
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: TestClient, body: Any, status: int) -> Any:
    answer = client.post(URL, json=body)
    assert answer.status_code == status, answer.text
    assert list(answer.json()) == ["error"] and answer.headers["x-request-id"]
    error = answer.json()["error"]
    assert list(error) == ["message", "type", "param", "code"] and error["message"]
    return error


def test_every_category_is_answered_by_its_policies(
    client: TestClient, engine: PolicyEngine
) -> None:
    body = asked(client, "beat=0.8 mock=0.4")
    assert body["id"].startswith("modr-") and body["model"] == "fake@0"
    assert body["calibrated"] is False
    (result,) = body["results"]
    assert result["flagged"] is True
    for field in ("categories", "category_scores", "category_applied_input_types"):
        assert tuple(result[field]) == CATEGORIES and len(CATEGORIES) == 13
    assert [c for c in CATEGORIES if result["categories"][c]] == ["hate", "violence"]
    scores = result["category_scores"]
    assert scores["hate"] == pytest.approx(0.8) and scores["violence"] == pytest.approx(0.8)
    assert scores["harassment"] == pytest.approx(0.4) and scores["self-harm"] == 0
    assert len(engine.asked) == 6  # one shortlist, not one a category, and beside it `sexual`'s


def test_of_each_category_a_policy_is_judged_and_those_without_are_named(tmp_path: Path) -> None:
    pairs = {"violence": ["beat", "expel"], "sexual": ["spoil", "blame"]}
    groups = {name: {"policy_set": "forum", "policies": some} for name, some in pairs.items()}
    moderations = MAPPING["moderations"] | groups
    with asking(tmp_path, PolicyEngine(), moderations=moderations) as client:
        (result,) = asked(client, "blame=0.4")["results"]
    assert result["flagged"] is False
    mine = {"hate", "harassment", "violence", "sexual", "illicit"}
    assert set(result["unmapped_categories"]) == set(CATEGORIES) - mine
    for category, types in result["category_applied_input_types"].items():
        assert types == (["text"] if category in mine else [])
    assert result["category_scores"]["sexual"] == pytest.approx(0.4)  # the last two policies
    assert result["category_scores"]["violence"] == pytest.approx(NEITHER)


def test_categories_of_few_policies_are_judged_beside_the_shortlist(
    tmp_path: Path, engine: PolicyEngine
) -> None:
    few = {n: g for n, g in MAPPING["moderations"].items() if n != "illicit"}
    with asking(tmp_path, engine, moderations=few) as client:
        (result,) = asked(client, "spoil=0.7")["results"]
    assert result["categories"]["sexual"]
    assert sorted(engine.asked) == sorted({*NAMES[:5], "spoil"})


def test_the_adapter_is_named_too(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AdapterChoice, "of", lambda *_: "f0" * 32)
    monkeypatch.setattr(AdapterChoice, "calibration", lambda *_: None)
    assert asked(client, "fine")["model"] == "fake@0+" + "f0" * 8


def test_a_policys_own_threshold_goes_first(client: TestClient) -> None:
    results = asked(client, ["fool=0.8 beat=0.7", "fool=0.95", "beat=0.5"])["results"]
    flags = [[c for c in CATEGORIES if r["categories"][c]] for r in results]
    assert flags == [["hate", "violence"], ["harassment", "hate"], ["hate", "violence"]]
    assert results[0]["category_scores"]["harassment"] == pytest.approx(0.8)


def test_exhaustive_judges_all(tmp_path: Path, engine: PolicyEngine) -> None:
    with asking(tmp_path, engine, exhaustive=True) as exhaustive:
        (result,) = asked(exhaustive, "spoil=0.7")["results"]
    assert result["categories"]["sexual"]
    assert sorted(engine.asked) == sorted(NAMES)


@pytest.mark.parametrize(
    ("given", "flagged"),
    [
        ("beat=0.9", [True]),
        (["beat=0.9"], [True]),
        (["fine", "beat=0.9", "fine"], [False, True, False]),
        ([{"type": "text", "text": "oh"}, {"type": "text", "text": "beat=0.9"}], [True]),
    ],
)
def test_each_form_of_input(client: TestClient, given: Any, flagged: list[bool]) -> None:
    assert [r["flagged"] for r in asked(client, given)["results"]] == flagged


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        ({}, "input", "missing"),
        ({"input": []}, "input", "at least 1"),
        ({"input": 7}, "input", "string"),
        ({"input": ["a", 7]}, "input[1]", "string"),
        ({"input": "  "}, "input", "visible character"),
        ({"input": ["a", ""]}, "input[1]", "visible character"),
        ({"input": ["a", "b" * 61]}, "input[1]", "WRANER_MAX_CHARACTERS"),
        ({"input": ["a"] * 4}, "input", "WRANER_MAX_TEXTS"),
        ({"input": [{"type": "text", "text": "a"}, IMAGE]}, "input[1]", "images are not judged"),
        ({"input": [{"type": "audio"}]}, "input[0]", "type text or image_url"),
        ({"input": [{"text": "a"}]}, "input[0]", "type text or image_url"),
        ({"input": [{**IMAGE, "detail": "low"}]}, "input[0].detail", "not known"),
        ({"input": [{"type": "text", "text": "a", "x": 1}]}, "input[0].x", "not known"),
        ({"input": [{"type": "text"}]}, "input[0].text", "missing"),
        ({"input": "a", "modle": "x"}, "modle", "not known"),
        ({"input": "a", "model": 1}, "model", "string"),
    ],
)
def test_wrong_input_names_the_field(client: TestClient, body: Any, param: str, said: str) -> None:
    error = refused(client, body, 400)
    assert (error["type"], error["code"], error["param"]) == (
        "invalid_request_error",
        "invalid_input",
        param,
    )
    assert said in error["message"]


def test_no_json_and_no_such_method_have_the_same_shape(client: TestClient) -> None:
    for answer, status in (
        (client.post(URL, content=b"{", headers={"content-type": "application/json"}), 400),
        (client.post(URL, content=b"{}"), 415),
        (client.post(URL, json={"input": "a"}, params={"x": "1"}), 400),
        (client.post(URL, content=b"a", headers={"content-type": "text/plain"}), 415),
        (client.get(URL), 405),
    ):
        assert answer.status_code == status
        assert answer.json()["error"]["type"] == "invalid_request_error"
        assert answer.json()["error"]["param"] is None


def test_trouble_is_never_answered_as_not_flagged(
    client: TestClient, engine: PolicyEngine, meter: Meter
) -> None:
    engine.error = Overloaded("full", retry_after_s=7)
    answer = client.post(URL, json={"input": "beat=0.9"})
    assert answer.status_code == 429 and answer.headers["retry-after"] == "7"
    assert answer.json()["error"]["code"] == "rate_limit_exceeded"
    engine.error = Unavailable("no weights")
    assert refused(client, {"input": "a"}, 503)["type"] == "server_error"
    engine.error = RuntimeError("secret")
    assert "secret" not in refused(client, {"input": "a"}, 500)["message"]
    engine.error = None
    meter.draining = True
    assert refused(client, {"input": "a"}, 503)["code"] == "unavailable"


def test_the_worked_example_is_what_is_sent_and_answered(client: TestClient) -> None:
    sent = drop_in_examples.REQUESTS["ModerationCreateRequest"]
    shown = drop_in_examples.RESPONSES["ModerationCreateResponse"]
    assert ModerationCreateResponse.model_validate(shown).model_dump(mode="json") == shown
    live = client.post(URL, json=sent).json()
    assert list(live) == list(shown) and list(live["results"][0]) == list(shown["results"][0])
    error = drop_in_examples.ERRORS["OpenAIError"]
    assert refused(client, {"input": [" "]}, 400) == error["error"]


@pytest.fixture
def vendor(client: TestClient) -> Iterator[openai.OpenAI]:
    assert client.app
    with (
        listening(client.app) as address,  # type: ignore[arg-type]
        openai.OpenAI(base_url=f"{address}/v1", api_key="unused", max_retries=0) as vendor,
    ):
        yield vendor


def test_the_vendors_client_reads_verdicts(vendor: openai.OpenAI) -> None:
    reply = vendor.moderations.create(
        model="omni-moderation-latest", input=["beat=0.9 fool=0.95", "fine"]
    )
    assert [r.flagged for r in reply.results] == [True, False]
    first = reply.results[0]
    assert first.categories.violence and not first.categories.self_harm_intent
    assert first.category_scores.harassment == pytest.approx(0.95)
    assert first.category_scores.sexual_minors == 0
    assert first.category_applied_input_types.hate == ["text"]
    assert first.category_applied_input_types.illicit_violent == []
    assert type(reply).model_validate(reply.model_dump(by_alias=True), strict=True)
    parts = vendor.moderations.create(input=[{"type": "text", "text": "beat=0.9"}])
    assert parts.results[0].categories.hate and parts.model == "fake@0"


def test_the_vendors_client_raises_its_own_errors(
    vendor: openai.OpenAI, engine: PolicyEngine
) -> None:
    with pytest.raises(openai.BadRequestError) as image:
        vendor.moderations.create(input=[IMAGE])  # type: ignore[list-item]
    assert image.value.param == "input[0]" and image.value.code == "invalid_input"
    assert image.value.type == "invalid_request_error" and image.value.request_id
    engine.error = Overloaded("full", retry_after_s=7)
    with pytest.raises(openai.RateLimitError) as full:
        vendor.moderations.create(input="a")
    assert full.value.response.headers["retry-after"] == "7"
    engine.error = Unavailable("no weights")
    with pytest.raises(openai.InternalServerError) as gone:
        vendor.moderations.create(input="a")
    assert gone.value.status_code == 503 and gone.value.type == "server_error"


def test_the_vendors_client_waits_and_tries_again(
    vendor: openai.OpenAI, engine: PolicyEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([Overloaded("full", retry_after_s=1)])

    async def work() -> None:
        for error in answers:
            raise error

    monkeypatch.setattr(engine, "_work", work)
    patient = vendor.with_options(max_retries=1)
    monkeypatch.setattr(patient, "_sleep_for_retry", lambda **_: None)
    assert patient.moderations.create(input="beat=0.9").results[0].flagged
