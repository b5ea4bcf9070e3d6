"""A service for the drop-in routes: seven policies, each scored as the text itself says.

The text ``beat=0.8 fool=0.3`` breaches the policy `beat` with 0.8, `fool` with 0.3, others with
0.01. The index ranks policies in their written order.
"""

import math
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
import yaml
from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.api import build_api
from services.settings import Limits
from services.traffic import Meter
from tests.services.fakes import FakeEngine, make_gateway
from wraner.engine import ScoreRequest, Scores

NAMES = ("beat", "fool", "swear", "mock", "expel", "blame", "spoil")
STRICT = "fool"
POLICIES: dict[str, Any] = {
    "policies": [
        {"id": n, "title": n, "definition": n, **({"threshold": 0.9} if n == STRICT else {})}
        for n in NAMES
    ]
}
MAPPING: dict[str, Any] = {
    "threshold": 0.5,
    "exhaustive": False,
    "moderations": {
        "hate": {"policy_set": "forum", "policies": "all"},
        "harassment": {"policy_set": "forum", "policies": ["fool", "mock"]},
        "violence": {"policy_set": "forum", "policies": ["beat"]},
        "sexual": {"policy_set": "forum", "policies": ["spoil"]},
        "illicit": {"policy_set": "forum", "policies": ["swear", "mock", "expel"]},
    },
    "attributes": {
        "TOXICITY": {"policy_set": "forum", "policies": "all"},
        "THREAT": {"policy_set": "forum", "policies": ["beat", "fool"]},
        "SPAM": {"policy_set": "forum", "policies": ["spoil"]},
        "INSULT": {"policy_set": "forum", "policies": ["swear", "mock", "expel"]},
    },
}
NEITHER = 0.01


class PolicyEngine(FakeEngine):
    """Scores each policy as the text says; counts what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        await super().score(requests)
        return [self._scores(r) for r in requests]

    def _scores(self, request: ScoreRequest) -> Scores:
        named = [n for n in NAMES if n in request.prompt.instruction]
        policy = named[0] if len(named) == 1 else "any"
        self.asked.append(policy)
        found = re.search(rf"{policy}=([.\d]+)", request.prompt.text)
        share = float(found.group(1)) if found else NEITHER
        return Scores((math.log(share / (1 - share)), 0.0), 0)


def mapped(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    """Name a file of the mapping, with changes, as the service's."""
    (folder / "mine.yaml").write_text(yaml.safe_dump(MAPPING | changes, sort_keys=False))
    monkeypatch.setenv("WRANER_DROP_IN", str(folder / "mine.yaml"))


def stored(client: TestClient) -> None:
    assert client.put("/v1/policy-sets/forum", json=POLICIES).status_code == 201


@contextmanager
def asking(
    folder: Path, engine: PolicyEngine, *, meter: Meter | None = None, **changes: Any
) -> Iterator[TestClient]:
    """Yield a client of a service with the policies stored and the mapping, with changes."""
    with pytest.MonkeyPatch.context() as patch:
        mapped(folder, patch, **changes)
        limits = Limits(max_texts=3, max_characters=60)
        gateway = make_gateway(folder / "state", engine=engine, limits=limits)
    with TestClient(build_api(gateway, meter)) as client:
        stored(client)
        yield client


@contextmanager
def listening(api: FastAPI) -> Iterator[str]:
    """Serve an API at a port of this machine; yield its address."""
    server = uvicorn.Server(uvicorn.Config(api, port=0, ws="none", log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the server ended before it started"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
