"""The whole contract against the running service: one start, the bundled model, a real client.

The tests run in order; the last one stops the service.
"""

import json
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from googleapiclient.errors import HttpError

from services import drop_in_examples, examples
from tests.readme import (
    ADDRESS,
    COMMANDS,
    REQUEST,
    agree,
    agree_but_for_scores,
    as_shown,
    layout,
    run_as_shown,
    section,
)
from tests.services.perspective_client import misfits, vendors_client
from tests.services.running import Running, serving
from tests.wraner.random_adapters import hollow_adapter, random_adapter
from wraner.adapters import Task
from wraner.promotions import current, promote, rollback
from wraner.weights import BaseModel

pytestmark = [pytest.mark.ray, pytest.mark.model]

QUEUE = 4
DOMAIN = examples.REQUESTS["Domain"]
QUICK = {"inline": {"entity_types": [{"name": "city"}]}, "text": "We met in Lyon."}
COMMENT = "Nobody from that group should be let into our town."
TEXTS = [COMMENT] * 2
ASKED = {
    "/v1/extract": {**QUICK, "text": ["We met in Lyon and then in Ghent, with Anna."] * 2},
    "/v1/moderate": {"policy_set": "hate-speech", "text": TEXTS},
    "/v1/moderations": {"input": TEXTS},
    "/v1alpha1/comments:analyze": {
        "comment": {"text": COMMENT},
        "requestedAttributes": {"TOXICITY": {}, "IDENTITY_ATTACK": {}},
    },
}
MODERATING = [url for url in ASKED if "moder" in url or "comments" in url]


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def service(bundled_base: BaseModel, state: Path) -> Iterator[Running]:
    with serving(state, bundled_base, WRANER_GATEWAY_QUEUE=str(QUEUE)) as running:
        yield running


def ready(client: httpx.Client, within_s: float = 60) -> None:
    until = time.monotonic() + within_s
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.2)


def test_the_printed_request_works(service: Running) -> None:
    command = next(line for line in service.printed.splitlines() if line.startswith("curl"))
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert '"versions"' in done.stdout


def test_requests_in_the_readme_answer_as_it_shows(service: Running) -> None:
    asked = section("Ask") + section("Move from another API")
    requests = REQUEST.findall(asked)
    assert len(requests) == asked.count("```sh\ncurl") >= 5
    differing = []
    for command, shown in requests:
        assert ADDRESS in command
        here = command.replace(ADDRESS, str(service.client.base_url).rstrip("/"))
        done = subprocess.run(here, shell=True, capture_output=True, text=True, check=True)
        live = as_shown(json.loads(done.stdout))
        if shown.strip() == "FIGURE" or not agree(json.loads(shown), live):
            differing.append(f"{command.splitlines()[0]}\n{layout(live)}")
    assert not differing, "the README should show:\n\n" + "\n\n".join(differing)


def test_commands_in_the_readme_print_what_it_shows(service: Running) -> None:
    url = str(service.client.base_url).rstrip("/")
    differing = []
    shown_commands = section("Command line") + section("Move from another API")
    for kind, command, shown in COMMANDS.findall(shown_commands):
        live = run_as_shown(kind, command, url)
        if not agree_but_for_scores(shown.strip(), live.strip()):
            differing.append(f"{command}\n{live}")
    assert not differing, "the README should show:\n\n" + "\n\n".join(differing)


def test_shipped_packs_answer(service: Running) -> None:
    text = "My Lumo kettle arrived broken, order WX-204817, says Priya Nair 😀"
    body = {"domain": "customer-care", "text": [text, "thanks"], "offset_unit": "utf16"}
    answer = service.client.post("/v1/extract", json=body)
    assert answer.status_code == 200, answer.text
    for entity in answer.json()["results"][0]["entities"]:
        units = text.encode("utf-16-le")[2 * entity["start"] : 2 * entity["end"]]
        assert units.decode("utf-16-le") == entity["text"]
    assert answer.json()["results"][0]["neighbours"]
    body = {"policy_set": "hate-speech", "text": "Where do you buy your tea?"}
    answer = service.client.post("/v1/moderate", json=body)
    assert answer.status_code == 200, answer.text
    coverage = answer.json()["results"][0]["coverage"]
    assert len(coverage["policies_judged"]) + coverage["policies_skipped"] == 41


def test_googles_client_reads_scores_through_the_proxy(service: Running) -> None:
    sent = drop_in_examples.REQUESTS["AnalyzeCommentRequest"]
    with vendors_client(str(service.client.base_url).rstrip("/")) as vendor:
        reply = vendor.comments().analyze(body=sent).execute()
        with pytest.raises(HttpError, match="comment"):
            vendor.comments().analyze(body=sent | {"comment": {"text": " "}}).execute()
    assert misfits("AnalyzeCommentResponse", reply) == []
    assert (reply["languages"], reply["detectedLanguages"]) == (["en"], [])
    toxicity = reply["attributeScores"]["TOXICITY"]
    assert 0 < toxicity["summaryScore"]["value"] < 1 and reply["clientToken"] == "comment-7"
    length = len(sent["comment"]["text"].encode("utf-16-le")) // 2
    assert toxicity["spanScores"]
    assert all(0 <= s["begin"] < s["end"] <= length for s in toxicity["spanScores"])


def test_a_pack_is_live_for_the_next_request(service: Running) -> None:
    client, url = service.client, "/v1/domains/travel"
    made = client.put(url, json=DOMAIN)
    assert made.status_code == 201, made.text
    body = {"domain": "travel", "text": "She moved to Ghent."}
    first = client.post("/v1/extract", json=body).json()
    assert first["versions"]["pack"] == made.json()["version"]
    assert first["results"][0]["neighbours"][0]["similarity"] > 0.99
    stale = {"If-Match": '"0"'}
    assert client.put(url, json=DOMAIN, headers=stale).status_code == 412
    added = client.post(f"{url}/examples", json=examples.REQUESTS["AddTaggedExamples"])
    assert (added.status_code, added.json()["examples"]) == (201, 2)
    second = client.post("/v1/extract", json=body).json()
    assert second["versions"]["index"] != first["versions"]["index"]
    taken = {"examples": [{"id": "lyon-1", "text": "other"}]}
    assert client.post(f"{url}/examples", json=taken).status_code == 409
    misfit = {"examples": [{"text": "x", "entities": [{"start": 0, "end": 1, "label": "y"}]}]}
    refused = client.post(f"{url}/examples", json=misfit)
    assert refused.json()["pointer"] == "/examples/0/entities/0/label"
    assert client.delete(f"{url}/examples/lyon-1").json()["version"] == made.json()["version"]
    names = [d["name"] for d in client.get("/v1/domains").json()["domains"]]
    assert names == ["customer-care", "travel"]
    assert client.delete(url).status_code == 204
    assert client.post("/v1/extract", json=body).status_code == 404


def test_bad_input_is_told_through_the_proxy(service: Running) -> None:
    client = service.client
    headers = {"content-type": "application/json"}
    for raw, status, pointer in (
        (b"{", 422, ""),
        (b'{"text": "\\ud800"}', 422, "/text"),
        (b'{"text": "a", "domain": "nope"}', 404, "/domain"),
        (b"x" * 10_000_000, 413, ""),
        (b"[" * 100_000, 422, ""),
    ):
        answer = client.post("/v1/extract", content=raw, headers=headers)
        assert (answer.status_code, answer.json()["pointer"]) == (status, pointer), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
    for sent in ({}, {"X-Request-Id": "abc-1"}):
        answer = client.get("/nowhere", headers=sent)
        # Serve returns the id that it was sent, or has made up and passed on.
        assert answer.headers.get_list("x-request-id") == [answer.json()["request_id"]]
    assert client.head("/healthz").status_code == 200
    page = client.get("/docs").text
    for path in re.findall(r"""(?:src|href)="([^"]+)"|url: '([^']+)'""", page):
        assert client.get("".join(path)).status_code == 200, path
    assert "wraner_requests_total" in client.get("/metrics").text


def test_a_promoted_adapter_answers_without_a_restart(
    service: Running, state: Path, bundled_base: BaseModel
) -> None:
    adapters = state / "adapters"
    tuned = random_adapter(bundled_base, adapters, 1)
    broken = hollow_adapter(bundled_base, adapters, "{}")

    def answered() -> tuple[int, str]:
        answer = service.client.post("/v1/extract", json=QUICK)
        body = answer.json()
        return answer.status_code, body.get("detail") or body["versions"]["adapter"]

    before = current(adapters, Task.NER)
    promote(adapters, Task.NER, tuned, expected=before)
    assert answered() == (200, tuned)
    promote(adapters, Task.NER, broken, expected=tuned)
    status, detail = answered()
    assert status == 503 and broken[:16] in detail
    assert broken[:16] in service.client.get("/readyz").json()["detail"]
    assert rollback(adapters, Task.NER) == tuned and answered() == (200, tuned)
    assert rollback(adapters, Task.NER) == before and answered() == (200, before)
    ready(service.client)


def test_dozens_of_policies_and_long_texts(service: Running) -> None:
    client, url = service.client, "/v1/policy-sets/parcels"
    about = [f"Notices about parcel {n}, whoever sent it." for n in range(50)]
    policies = [
        {"id": f"p{n}", "title": f"Parcel {n}", "definition": d} for n, d in enumerate(about)
    ]
    assert client.put(url, json={"policies": policies}).status_code == 201
    body = {"policy_set": "parcels", "text": ["Parcel 7 is at the gate.", "🙂🙃 🙂"]}
    answer = client.post("/v1/moderate", json=body)
    assert answer.status_code == 200, answer.text
    for result in answer.json()["results"]:
        coverage = result["coverage"]
        assert len(coverage["policies_judged"]) == 5 and coverage["policies_skipped"] == 45
    long = client.post("/v1/moderate", json={**body, "text": "parcel " * 7143})
    assert (long.status_code, long.json()["pointer"]) == (422, "/text")
    assert "WRANER_MAX_CHARACTERS" in long.json()["detail"]
    assert client.delete(url).status_code == 204


def test_a_judge_that_cannot_be_read_allows_nothing(
    service: Running, state: Path, bundled_base: BaseModel
) -> None:
    adapters = state / "adapters"
    judge = current(adapters, Task.MODERATION)
    broken = hollow_adapter(bundled_base, adapters, "{}", task=Task.MODERATION)
    promote(adapters, Task.MODERATION, broken, expected=judge)
    for url in MODERATING:
        answer = service.client.post(url, json=ASKED[url])
        assert answer.status_code == 503 and broken[:16] in answer.text, answer.text
    assert rollback(adapters, Task.MODERATION) == judge
    answer = service.client.post("/v1/moderate", json=ASKED["/v1/moderate"])
    assert [r["decision"] for r in answer.json()["results"]] == ["violates"] * len(TEXTS)
    ready(service.client)


@pytest.mark.parametrize("url", ASKED)
def test_a_full_queue_answers_429(service: Running, url: str) -> None:
    with ThreadPoolExecutor(4 * QUEUE) as pool:
        answers = list(
            pool.map(lambda _: service.client.post(url, json=ASKED[url]), range(4 * QUEUE))
        )
    assert {a.status_code for a in answers} == {200, 429}
    for refused in (a for a in answers if a.status_code == 429):
        assert int(refused.headers["retry-after"]) >= 1
        assert "WRANER_GATEWAY_QUEUE" in refused.text


def test_who_hangs_up_frees_the_engine(service: Running) -> None:
    long = {**QUICK, "text": ["We met in Lyon and then in Ghent, with Anna. " * 40] * 32}
    with pytest.raises(httpx.TimeoutException):
        service.client.post("/v1/extract", json=long, timeout=2)
    began = time.monotonic()
    assert service.client.post("/v1/extract", json=QUICK).status_code == 200
    assert time.monotonic() - began < 30  # the long one would take minutes


def test_a_killed_engine_comes_back(service: Running) -> None:
    children = psutil.Process(service.process.pid).children(recursive=True)
    engine = next(p for p in children if "Replica:wraner:Engine" in " ".join(p.cmdline()))
    until = time.monotonic() + 90

    def seen(url: str) -> set[int]:
        codes = set()
        while 200 not in codes:
            assert time.monotonic() < until, codes
            codes.add(service.client.post(url, json=ASKED[url]).status_code)
            time.sleep(0.2)
        return codes

    with ThreadPoolExecutor(QUEUE) as pool:
        engine.kill()
        codes = set().union(*pool.map(seen, ASKED))
    assert codes <= {200, 503}
    ready(service.client)


def test_sigterm_lets_a_running_request_finish(service: Running) -> None:
    answers: list[Any] = []
    body = {**QUICK, "text": ["We met in Lyon and then in Ghent, with Anna."] * 8}
    asking = threading.Thread(
        target=lambda: answers.append(service.client.post("/v1/extract", json=body))
    )
    asking.start()
    time.sleep(0.5)
    service.process.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    with suppress(httpx.TransportError):  # stopped already
        assert service.client.get("/v1/domains").status_code == 503
    asking.join()
    assert answers[0].status_code == 200, answers[0].text
    assert service.process.wait(60) == 0
