"""`POST /v1alpha1/comments:analyze` over fakes, and asked by Google's own client."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from googleapiclient.errors import HttpError
from pydantic import BaseModel

from services import drop_in_examples, perspective
from services.perspective import AnalyzeCommentRequest, AnalyzeCommentResponse
from services.traffic import Meter
from tests.services.drop_in_service import MAPPING, NEITHER, PolicyEngine, asking, listening
from tests.services.perspective_client import SCHEMAS, misfits, vendors_client
from wraner.errors import Overloaded, Unavailable

URL = "/v1alpha1/comments:analyze"
INVALID = "INVALID_REQUEST"


@pytest.fixture
def engine() -> PolicyEngine:
    return PolicyEngine()


@pytest.fixture
def client(tmp_path: Path, engine: PolicyEngine, meter: Meter) -> Iterator[TestClient]:
    with asking(tmp_path, engine, meter=meter) as client:
        yield client


def comment(text: str, *names: str, **more: Any) -> dict[str, Any]:
    return {"comment": {"text": text}, "requestedAttributes": {n: {} for n in names}, **more}


def asked(client: TestClient, body: Any) -> Any:
    answer = client.post(URL, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refused(client: TestClient, body: Any, status: int, name: str) -> Any:
    answer = client.post(URL, json=body)
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["status"]) == (status, name) and error["message"]
    return error


def values(body: Any) -> dict[str, float]:
    return {name: s["summaryScore"]["value"] for name, s in body["attributeScores"].items()}


def test_each_attribute_is_answered_by_its_policies(
    client: TestClient, engine: PolicyEngine
) -> None:
    body = asked(client, comment("beat=0.3 mock=0.8", "TOXICITY", "THREAT", "SPAM"))
    assert values(body) == {
        "TOXICITY": pytest.approx(0.8),
        "THREAT": pytest.approx(0.3),
        "SPAM": pytest.approx(NEITHER),
    }
    assert body["calibrated"] is False
    assert body["languages"] == ["en"] and "clientToken" not in body
    assert len(engine.asked) == 6  # one shortlist, not one an attribute, and beside it SPAM's


def test_attributes_of_few_policies_are_not_skipped_where_more_are_asked_about(
    client: TestClient,
) -> None:
    body = asked(client, comment("spoil=0.8", "TOXICITY", "THREAT", "SPAM", "INSULT"))
    assert values(body)["SPAM"] == pytest.approx(0.8)


def test_an_attribute_scores_whatever_else_is_asked_for(tmp_path: Path) -> None:
    pairs = {"THREAT": ["beat", "fool"], "INSULT": ["mock", "expel"], "SPAM": ["spoil", "blame"]}
    groups = {name: {"policy_set": "forum", "policies": some} for name, some in pairs.items()}
    with asking(tmp_path, PolicyEngine(), attributes=MAPPING["attributes"] | groups) as client:
        body = asked(client, comment("blame=0.8", "TOXICITY", *pairs, spanAnnotations=True))
        alone = asked(client, comment("blame=0.8", "SPAM"))
    assert values(body)["SPAM"] == values(alone)["SPAM"] == pytest.approx(0.8)
    for found in body["attributeScores"].values():
        assert {s["score"]["value"] for s in found["spanScores"]} == {
            found["summaryScore"]["value"]
        }


def test_no_policy_is_judged_that_nothing_is_asked_about(
    client: TestClient, engine: PolicyEngine
) -> None:
    body = asked(client, comment("expel=0.8", "THREAT", "SPAM", "INSULT"))
    assert values(body)["INSULT"] == pytest.approx(0.8)
    assert sorted(engine.asked) == ["beat", "expel", "fool", "mock", "spoil", "swear"]


def test_few_policies_are_judged_without_a_shortlist(
    client: TestClient, engine: PolicyEngine
) -> None:
    body = asked(client, comment("spoil=0.7", "SPAM", "THREAT"))
    assert values(body) == {"SPAM": pytest.approx(0.7), "THREAT": pytest.approx(NEITHER)}
    assert sorted(engine.asked) == ["beat", "fool", "spoil"]


def test_scores_below_a_threshold_are_left_out(client: TestClient) -> None:
    body = comment("beat=0.6", "TOXICITY", "THREAT")
    body["requestedAttributes"]["THREAT"] = {"scoreThreshold": 0.9}
    assert set(values(asked(client, body))) == {"TOXICITY"}
    body["requestedAttributes"]["THREAT"] = {"scoreThreshold": 0.5, "scoreType": "PROBABILITY"}
    assert set(values(asked(client, body))) == {"TOXICITY", "THREAT"}


def test_without_span_annotations_one_span_is_the_whole_comment(client: TestClient) -> None:
    scores = asked(client, comment("😀 beat=0.6", "THREAT"))["attributeScores"]["THREAT"]
    (span,) = scores["spanScores"]
    assert (span["begin"], span["end"]) == (0, 11)  # UTF-16 units: the text has ten characters
    assert span["score"] == scores["summaryScore"] and span["score"]["type"] == "PROBABILITY"


def test_spans_are_the_evidence_in_utf16_units(client: TestClient) -> None:
    body = comment("😀 beat=0.6", "THREAT", spanAnnotations=True)
    scores = asked(client, body)["attributeScores"]["THREAT"]
    (span,) = scores["spanScores"]  # the index's evidence is the first character, for each policy
    assert (span["begin"], span["end"]) == (0, 2)
    assert span["score"] == scores["summaryScore"]
    assert span["score"]["value"] == pytest.approx(0.6)


def test_every_field_of_a_request_is_taken_by_both_its_names(client: TestClient) -> None:
    more = {
        "context": {"entries": [{"text": "what came before"}]},
        "languages": ["en", "en-GB"],
        "doNotStore": True,
        "clientToken": "c-7",
        "sessionId": "s",
        "communityId": "forum",
    }
    body = asked(client, comment("fine", "THREAT", **more))
    assert (body["languages"], body["clientToken"]) == (["en", "en-GB"], "c-7")
    snake = {"comment": {"text": "fine", "type": "PLAIN_TEXT"}, "client_token": "c-8"}
    body = asked(client, snake | {"requested_attributes": {"THREAT": {"score_threshold": 0}}})
    assert body["clientToken"] == "c-8"
    query = {"key": "secret", "alt": "json", "prettyPrint": "false", "$.xgafv": "2"}
    assert client.post(URL, json=comment("fine", "THREAT"), params=query).status_code == 200


def test_null_is_a_field_that_is_not_there(client: TestClient) -> None:
    names = ("context", "languages", "doNotStore", "clientToken", "sessionId", "spanAnnotations")
    body = comment("beat=0.9", "THREAT") | dict.fromkeys(names)
    body["comment"]["type"] = None
    body["requestedAttributes"]["THREAT"] = {"scoreThreshold": None, "scoreType": None}
    assert asked(client, body) == asked(client, comment("beat=0.9", "THREAT"))


@pytest.mark.parametrize(
    ("change", "field", "said", "kind"),
    [
        ({"comment": {"text": " "}}, "comment.text", "visible character", "COMMENT_EMPTY"),
        (
            {"comment": {"text": "a" * 61}},
            "comment.text",
            "WRANER_MAX_CHARACTERS",
            "COMMENT_TOO_LONG",
        ),
        (
            {"requestedAttributes": {}},
            "requestedAttributes",
            "at least 1",
            "NO_REQUESTED_ATTRIBUTES",
        ),
        (
            {"languages": ["en", "ar"]},
            "languages[1]",
            "does not support request languages: ar; supported are: en",
            "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
        ),
        ({"comment": {"text": "a", "type": "HTML"}}, "comment.type", "PLAIN_TEXT", INVALID),
        ({"comment": None}, "comment", "missing", INVALID),
        (
            {"requestedAttributes": {"PROFANITY": {}}},
            "requestedAttributes.PROFANITY",
            "TOXICITY, THREAT, SPAM",
            INVALID,
        ),
        (
            {"requestedAttributes": {"THREAT": {"scoreType": "RAW"}}},
            "requestedAttributes.THREAT.scoreType",
            "PROBABILITY",
            INVALID,
        ),
        (
            {"requestedAttributes": {"THREAT": {"scoreThreshold": 7}}},
            "requestedAttributes.THREAT.scoreThreshold",
            "less than or equal to 1",
            INVALID,
        ),
        ({"attributes": {}}, "attributes", "not known", INVALID),
    ],
)
def test_wrong_input_names_the_field(
    client: TestClient, change: Any, field: str, said: str, kind: str
) -> None:
    error = refused(client, comment("a", "THREAT") | change, 400, "INVALID_ARGUMENT")
    first, detail = error["details"]
    assert first["@type"] == "type.googleapis.com/google.commentanalyzer.v1alpha1.Error"
    assert first["errorType"] == kind
    assert detail["@type"] == "type.googleapis.com/google.rpc.BadRequest"
    (violation,) = detail["fieldViolations"]
    assert violation["field"] == field and said in violation["description"]
    assert violation["description"] == error["message"]


def test_unmapped_attributes_are_dropped_only_where_that_is_asked_for(client: TestClient) -> None:
    drop = {"dropUnsupportedAttributes": True}
    assert set(values(asked(client, comment("a", "PROFANITY", "THREAT", **drop)))) == {"THREAT"}
    refused(client, comment("a", "PROFANITY", "THREAT"), 400, "INVALID_ARGUMENT")
    refused(client, comment("a", "PROFANITY", **drop), 400, "INVALID_ARGUMENT")
    foreign = comment("a", "PROFANITY", "THREAT", **drop, languages=["ar"])
    error = refused(client, foreign, 400, "INVALID_ARGUMENT")
    assert error["message"].startswith("Attribute THREAT does not support request languages: ar")


def test_other_formats_and_parameters_are_refused(client: TestClient) -> None:
    for query in ({"alt": "proto"}, {"fields": "languages"}):
        answer = client.post(URL, json=comment("a", "THREAT"), params=query)
        assert answer.status_code == 400
        assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert client.get(URL).json()["error"]["code"] == 405
    assert client.post("/v1alpha1/comments:none").json()["error"]["status"] == "NOT_FOUND"


def test_suggestions_are_not_taken(client: TestClient, vendor: Any) -> None:
    with pytest.raises(HttpError, match="add the comment to the examples"):
        vendor.comments().suggestscore(body={"comment": {"text": "a"}}).execute()
    answer = client.post("/v1alpha1/comments:suggestscore", json={"comment": {"text": "a"}})
    assert answer.status_code == 501 and answer.json()["error"]["status"] == "UNIMPLEMENTED"
    assert "/v1/policy-sets/{name}/examples" in answer.json()["error"]["message"]


def test_trouble_is_never_answered_with_a_score(
    client: TestClient, engine: PolicyEngine, meter: Meter
) -> None:
    body = comment("beat=0.9", "THREAT")
    engine.error = Overloaded("full", retry_after_s=7)
    answer = client.post(URL, json=body)
    assert answer.headers["retry-after"] == "7"
    assert answer.json() == {
        "error": {"code": 429, "message": "full", "status": "RESOURCE_EXHAUSTED"}
    }
    engine.error = Unavailable("no weights")
    refused(client, body, 503, "UNAVAILABLE")
    engine.error = RuntimeError("secret")
    assert "secret" not in refused(client, body, 500, "INTERNAL")["message"]
    engine.error = None
    meter.draining = True
    refused(client, body, 503, "UNAVAILABLE")


def test_the_worked_example_is_what_is_sent_and_answered(client: TestClient) -> None:
    sent = drop_in_examples.REQUESTS["AnalyzeCommentRequest"]
    assert AnalyzeCommentRequest.model_validate(sent).span_annotations
    shown = drop_in_examples.RESPONSES["AnalyzeCommentResponse"]
    assert AnalyzeCommentResponse.model_validate(shown).model_dump(mode="json") == shown
    assert list(asked(client, sent)) == list(shown)
    units = sent["comment"]["text"].encode("utf-16-le")
    spans = shown["attributeScores"]["TOXICITY"]["spanScores"]
    words = [units[2 * s["begin"] : 2 * s["end"]].decode("utf-16-le") for s in spans]
    assert words == ["rats", "Beat"]
    error = drop_in_examples.ERRORS["GoogleError"]
    assert client.post(URL, json=comment(" ", "THREAT")).json() == error


@pytest.fixture
def vendor(client: TestClient) -> Iterator[Any]:
    with (
        listening(client.app) as address,  # type: ignore[arg-type]
        vendors_client(address) as vendor,
    ):
        yield vendor


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (perspective.AnalyzeCommentRequest, "AnalyzeCommentRequest"),
        (perspective.Comment, "TextEntry"),
        (perspective.RequestedAttribute, "AttributeParameters"),
        (perspective.AnalyzeCommentResponse, "AnalyzeCommentResponse"),
        (perspective.AttributeScores, "AttributeScores"),
        (perspective.SpanScore, "SpanScore"),
        (perspective.Score, "Score"),
    ],
)
def test_every_field_of_the_reference_is_known(ours: type[BaseModel], theirs: str) -> None:
    known = ours.model_json_schema(by_alias=True)["properties"]
    assert set(SCHEMAS[theirs]["properties"]) <= set(known)


def test_the_vendors_client_reads_scores(vendor: Any) -> None:
    body = comment("😀 beat=0.6", "TOXICITY", "THREAT", spanAnnotations=True, clientToken="c")
    reply = vendor.comments().analyze(body=body).execute()
    assert misfits("AnalyzeCommentRequest", body) == misfits("AnalyzeCommentResponse", reply) == []
    assert set(SCHEMAS["AnalyzeCommentResponse"]["properties"]) <= set(reply)
    assert (reply["languages"], reply["detectedLanguages"]) == (["en"], [])
    toxicity = reply["attributeScores"]["TOXICITY"]
    assert toxicity["summaryScore"]["value"] == pytest.approx(0.6)
    assert toxicity["spanScores"][0]["end"] == 2 and reply["clientToken"] == "c"


def test_the_vendors_client_reads_the_languages_that_it_named(vendor: Any) -> None:
    body = comment("fine", "THREAT", languages=["en", "en-GB"])
    reply = vendor.comments().analyze(body=body).execute()
    assert (reply["languages"], reply["detectedLanguages"]) == (["en", "en-GB"], [])


def test_the_document_names_where_it_was_asked_for(client: TestClient) -> None:
    url = "/$discovery/rest"
    made = client.get(url, params={"version": "v1alpha1", "key": "unused"}).json()
    assert made["rootUrl"] == made["baseUrl"] == f"{client.base_url}/"
    assert made == client.get(url).json()
    assert client.get(url, params={"version": "v1"}).status_code == 404
    assert client.get(url, params={"fields": "schemas"}).status_code == 422


def test_a_body_of_other_types_is_told_apart() -> None:
    span = {"begin": "0", "score": {"value": 0.5, "type": "LOUD"}}
    reply = {"attributeScores": {"THREAT": {"spanScores": [span]}}, "languages": "en"}
    assert len(misfits("AnalyzeCommentResponse", reply)) == 3


def test_the_vendors_client_raises_its_own_errors(vendor: Any, engine: PolicyEngine) -> None:
    with pytest.raises(HttpError) as unknown:
        vendor.comments().analyze(body=comment("a", "PROFANITY")).execute()
    assert unknown.value.status_code == 400
    assert "Unknown requested attribute: PROFANITY" in unknown.value.reason
    first, detail = unknown.value.error_details
    assert (
        first["errorType"] == INVALID
        and detail["fieldViolations"][0]["field"] == "requestedAttributes.PROFANITY"
    )
    engine.error = Overloaded("full", retry_after_s=7)
    with pytest.raises(HttpError) as full:
        vendor.comments().analyze(body=comment("a", "THREAT")).execute()
    assert full.value.status_code == 429 and full.value.resp["retry-after"] == "7"
    engine.error = Unavailable("no weights")
    with pytest.raises(HttpError, match="no weights") as gone:
        vendor.comments().analyze(body=comment("a", "THREAT")).execute()
    assert gone.value.status_code == 503
