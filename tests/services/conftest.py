"""A client of the whole API over fakes, without Ray."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from services.api import build_api
from services.traffic import Meter
from tests.services.fakes import FakeEngine, FakeIndex, make_gateway


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def index() -> FakeIndex:
    return FakeIndex()


@pytest.fixture
def meter() -> Meter:
    return Meter()


@pytest.fixture
def client(tmp_path: Path, engine: FakeEngine, index: FakeIndex) -> Iterator[TestClient]:
    # As a context manager it runs one event loop for all requests, as a server does.
    with TestClient(build_api(make_gateway(tmp_path, engine=engine, index=index))) as client:
        yield client
