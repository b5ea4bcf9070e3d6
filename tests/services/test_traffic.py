"""What surrounds every request knows its route, wherever the service is mounted."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from services.api import build_api
from services.traffic import Meter
from tests.services.fakes import FakeEngine, make_gateway

COMMENT = {"comment": {"text": "beat=0.9"}, "requestedAttributes": {"THREAT": {}}}


@pytest.mark.parametrize("root", ["", "/wraner", "/a/b"])
def test_errors_keep_their_shape_behind_a_prefix(
    tmp_path: Path, engine: FakeEngine, meter: Meter, root: str
) -> None:
    api = build_api(make_gateway(tmp_path, engine=engine), meter)
    with TestClient(api, root_path=root, raise_server_exceptions=False) as client:

        def asked(path: str, body: Any) -> Any:
            return client.post(f"{root}{path}", json=body)

        openai = asked("/v1/moderations", {"input": 5})
        assert openai.status_code == 400 and openai.json()["error"]["type"]
        google = asked("/v1alpha1/comments:analyze", {})
        assert google.status_code == 400 and google.json()["error"]["code"] == 400
        assert asked("/v1/extract", {}).json()["type"] == "urn:wraner:problem:invalid-input"
        misread = client.get(f"{root}/v1/domains/d/examples?limit=0").json()
        assert misread["type"] == "urn:wraner:problem:invalid-input", "FastAPI's own refusal"
        nowhere = client.get(f"{root}/v1alpha1/d/examples").json()
        assert nowhere["error"]["code"] == 404, "no route's"
        meter.draining = True
        assert client.get(f"{root}/healthz").status_code == 200
        refused = asked("/v1alpha1/comments:analyze", COMMENT)
        assert refused.json()["error"]["status"] == "UNAVAILABLE"


def test_each_gateway_counts_under_its_own_name(tmp_path: Path) -> None:
    told = []
    for name in ("one", "two"):
        with TestClient(build_api(make_gateway(tmp_path), Meter(name))) as client:
            client.get("/healthz")
            told.append(client.get("/metrics").text)
    for name, text in zip(("one", "two"), told, strict=True):
        samples = [line for line in text.splitlines() if line.startswith("wraner_")]
        assert samples and all(f'gateway="{name}"' in sample for sample in samples)


@pytest.mark.parametrize("root", ["", "/wraner"])
def test_what_answers_is_counted_under_its_path_and_nothing_else_is(
    tmp_path: Path, root: str
) -> None:
    with TestClient(build_api(make_gateway(tmp_path)), root_path=root) as client:
        for path in ("/openapi.json", "/docs", "/nowhere", "/static-offline-docs/a"):
            client.get(f"{root}{path}")
        counts = client.get(f"{root}/metrics").text
    for path, status in (("/openapi.json", 200), ("/docs", 200), ("none", 404)):
        assert f'method="GET",route="{path}",status="{status}"' in counts
    assert 'route="none",status="200"' not in counts and "/static" not in counts
