"""What calls look like on the wire, and what answers turn into."""

import json
import pickle
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from wraner.client import problems
from wraner.client.calls import Call, quoted
from wraner.client.pack_calls import DOMAINS, POLICY_SETS, Expected
from wraner.client.problems import ApiError, NotWraner, Unreachable
from wraner.client.retries import Retry
from wraner.client.sync import Client
from wraner.errors import InvalidInput, WranerError
from wraner.packs import Domain, EntityType

URL = "http://wraner.test:8000"
TEXT = "a private text"
DOMAIN = Domain(entity_types=(EntityType(name="city"),))


def client(response: httpx.Response, sent: list[httpx.Request] | None = None) -> Client:
    def handle(request: httpx.Request) -> httpx.Response:
        if sent is not None:
            sent.append(request)
        return response

    return Client(URL, retry=Retry(attempts=1), transport=httpx.MockTransport(handle))


def ask(response: httpx.Response) -> WranerError:
    with client(response) as asking, pytest.raises(WranerError) as caught:
        asking.extract(TEXT, domain="d")
    assert TEXT not in str(caught.value)
    return caught.value


def problem(status: int, **changed: Any) -> httpx.Response:
    body = {
        "type": "urn:wraner:problem:invalid-input",
        "title": "The request breaks a rule",
        "status": status,
        "detail": "expected a text with at least one visible character",
        "pointer": "/text/3",
        "request_id": "r1",
    } | changed
    kind = {"content-type": f"{problems.MEDIA_TYPE}; charset=utf-8"}
    return httpx.Response(status, json=body, headers=kind)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, problems.Invalid),
        (404, problems.NotFound),
        (405, ApiError),
        (408, problems.TooSlow),
        (409, problems.Conflict),
        (412, problems.Stale),
        (413, problems.Invalid),
        (415, problems.Invalid),
        (422, problems.Invalid),
        (429, problems.Busy),
        (500, ApiError),
        (503, problems.Busy),
        (504, problems.TooSlow),
    ],
)
def test_a_problem_becomes_the_error_that_a_caller_branches_on(
    status: int, kind: type[ApiError]
) -> None:
    error = ask(problem(status))
    assert type(error) is kind and isinstance(error, ApiError)
    assert (error.status, error.title) == (status, "The request breaks a rule")
    assert (error.pointer, error.request_id) == ("/text/3", "r1")
    assert str(error) == (
        "/text/3: expected a text with at least one visible character "
        f"({status} The request breaks a rule; request r1)"
    )


def test_a_problem_without_pointer_and_request_reads_well() -> None:
    assert str(ask(problem(504, pointer="", request_id="", detail="slow"))) == (
        "slow (504 The request breaks a rule)"
    )


@pytest.mark.parametrize("status", [200, 404, 502, 503])
def test_a_page_of_a_proxy_is_no_answer(status: int) -> None:
    page = httpx.Response(status, html=f"<html>{'Bad gateway ' * 100}</html>")
    error = ask(page)
    assert type(error) is NotWraner
    assert error.status == pickle.loads(pickle.dumps(error)).status == status
    for part in (f"POST {URL}/v1/extract", str(status), "text/html", "--server", "WRANER_URL"):
        assert part in str(error)
    assert len(str(error)) < 700


def test_an_answer_that_is_no_json_is_quoted_where_it_is_no_users_text() -> None:
    error = ask(httpx.Response(404, text="Path '/v1/extract' not found."))
    assert type(error) is NotWraner and "Path '/v1/extract' not found." in str(error)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'{"results": [], "versions": {"model": "m"}}', "versions/adapter is wrong: Field req"),
        (json.dumps({"results": TEXT, "versions": {}}).encode(), "results is wrong"),
        (b'{"results": [', "the body is wrong: Invalid JSON"),
        (b"", "the body is wrong"),
        (b"[]", "the body is wrong"),
    ],
)
def test_an_answer_of_another_shape_is_told_by_its_fault(body: bytes, fault: str) -> None:
    kind = {"content-type": "application/json"}
    error = ask(httpx.Response(200, content=body, headers=kind))
    assert type(error) is NotWraner and fault in str(error)


def test_a_problem_of_another_shape_is_no_answer_of_wraner() -> None:
    kind = {"content-type": problems.MEDIA_TYPE}
    error = ask(httpx.Response(422, json={"title": "x"}, headers=kind))
    assert type(error) is NotWraner and "422" in str(error)


def test_a_redirect_is_told_with_its_target() -> None:
    error = ask(httpx.Response(308, headers={"location": "https://wraner.test/v1/extract"}))
    assert type(error) is NotWraner and "leads to https://wraner.test/v1/extract" in str(error)


def test_an_empty_page_is_told() -> None:
    assert "502 without a type, without a body" in str(ask(httpx.Response(502)))


def test_a_broken_encoding_is_told() -> None:
    stream = httpx.ByteStream(b"no gzip")
    error = ask(httpx.Response(200, stream=stream, headers={"content-encoding": "gzip"}))
    assert type(error) is NotWraner and "encoding" in str(error)


def test_what_is_left_out_is_left_to_the_server() -> None:
    sent: list[httpx.Request] = []
    with client(problem(404), sent) as asking, pytest.raises(ApiError):
        asking.extract(["é", "x"], inline=DOMAIN)
    with client(problem(404), sent) as asking, pytest.raises(ApiError):
        asking.moderate("x", policy_set="forum", policies=("a",), threshold=0.5)
    inline = {
        "description": "",
        "entity_types": [{"name": "city", "definition": ""}],
        "examples": [],
    }
    assert [json.loads(r.content) for r in sent] == [
        {"inline": inline, "text": ["é", "x"], "min_score": 0.0, "offset_unit": "codepoint"},
        {
            "policy_set": "forum",
            "text": "x",
            "policies": ["a"],
            "exhaustive": False,
            "threshold": 0.5,
        },
    ]
    assert "é".encode() in sent[0].content
    assert {r.headers["content-type"] for r in sent} == {"application/json"}


@pytest.mark.parametrize(
    ("ask", "model"),
    [
        (lambda c: c.put_domain("d", DOMAIN.model_dump()), "Domain"),
        (lambda c: c.put_policy_set("p", {"policies": []}), "PolicySet"),
        (lambda c: c.extract("x", inline=DOMAIN.model_dump()), "Domain"),
        (lambda c: c.moderate("x", inline={"policies": []}), "PolicySet"),
        (lambda c: c.add_domain_examples("d", [{"text": TEXT}]), "TaggedExample"),
        (lambda c: c.add_policy_set_examples("p", [{"text": TEXT}]), "JudgedExample"),
    ],
)
def test_a_dict_in_place_of_a_model_is_told_the_way(
    ask: Callable[[Client], object], model: str
) -> None:
    told = rf"^expected a {model} of wraner\.packs, was: a dict; {model}\.model_validate\(\.\.\.\)"
    with client(httpx.Response(200)) as asking, pytest.raises(InvalidInput, match=told) as caught:
        ask(asking)
    assert TEXT not in str(caught.value)


def test_half_a_surrogate_pair_reaches_the_server_for_it_to_refuse() -> None:
    body = Call("POST", "/x", bytes, {"text": "é\ud83d"}).encoded()
    assert body is not None and json.loads(body) == {"text": "é\ud83d"}


@pytest.mark.parametrize("name", ["a/b", "..", ".", "a b", "é?#%", "a%2Fb", "a;b", "../../healthz"])
def test_a_name_is_one_step_of_the_path(name: str) -> None:
    sent: list[httpx.Request] = []
    answer = httpx.Response(200, json={"name": "d", "version": "1", "examples": 0})
    with client(answer, sent) as asking:
        asking.delete_domain_example("d", name)
        asking.policy_set(name)
    paths = [r.url.raw_path.decode() for r in sent]
    assert paths == [f"/v1/domains/d/examples/{quoted(name)}", f"/v1/policy-sets/{quoted(name)}"]
    assert [p.count("/") for p in paths] == [5, 3]


def test_a_page_is_asked_for_by_the_id_before_it() -> None:
    path = DOMAINS.examples("d", after="a/b &c", limit=7).path
    assert dict(httpx.URL(URL + path).params) == {"limit": "7", "after": "a/b &c"}


def test_a_url_may_have_a_path_and_a_password_that_is_not_told() -> None:
    def handle(request: httpx.Request) -> httpx.Response:
        assert request.url.path == "/nlp/v1/domains"
        raise httpx.ConnectError("refused")

    url = "http://user:secret@host.test/nlp/"
    asking = Client(url, retry=Retry(attempts=1), transport=httpx.MockTransport(handle))
    with asking, pytest.raises(Unreachable, match=r"http://host\.test/nlp ") as caught:
        asking.domains()
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["", "127.0.0.1:8000", "ftp://x", "http://", "http://[::1", "http://x:65536", "http://x?y"],
)
def test_a_url_that_names_no_server_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput, match="expected a server's URL such as"):
        Client(url)


@pytest.mark.parametrize("timeout_s", [0.0, -1.0, float("nan")])
def test_a_timeout_must_leave_time(timeout_s: float) -> None:
    with pytest.raises(InvalidInput, match="expected a timeout_s above 0"):
        Client(timeout_s=timeout_s)


@pytest.mark.parametrize(
    ("expected", "headers"),
    [
        (Expected(), {}),
        (Expected("6f1e"), {"If-Match": '"6f1e"'}),
        (Expected('"6f1e"'), {"If-Match": '"6f1e"'}),
        (Expected("*"), {"If-Match": "*"}),
        (Expected(if_none_match=True), {"If-None-Match": "*"}),
    ],
)
def test_a_version_is_sent_as_an_etag(expected: Expected, headers: dict[str, str]) -> None:
    assert expected.headers() == headers
    assert POLICY_SETS.remove("d", "x", expected).headers == headers


@pytest.mark.parametrize("value", ["", "a\nb", "é", " "])
def test_a_version_that_fits_no_header_is_refused(value: str) -> None:
    with pytest.raises(InvalidInput, match="expected if_match"):
        Expected(value).headers()
