"""An index that is damaged on disk spoils its own pack alone, and the next write mends it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from index.encoders import Encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from index.store import GenerationStore
from services import examples
from services.api import build_api
from tests.index.conftest import HashEncoder
from tests.services.fakes import make_gateway

DOMAIN = examples.REQUESTS["Domain"]
OTHER = {**DOMAIN, "examples": [{"text": "Rain in Lyon."}]}
ASK = {"domain": "broken", "text": "She moved to Lyon."}


class DiskIndex:
    """The real store and retriever over a word encoder without weights."""

    def __init__(self, root: Path) -> None:
        encoder, settings = HashEncoder(), IndexSettings()
        store = GenerationStore(root, Encoders.same(encoder), settings)
        retriever = LocalRetriever(Encoders.same(encoder), settings, root)
        self.build, self.drop = store.build, store.drop
        self.neighbours, self.evidence = retriever.neighbours, retriever.evidence


def fresh(folder: Path) -> TestClient:
    """Return a client of a service that has nothing open yet."""
    index: Any = DiskIndex(folder / "index")
    return TestClient(build_api(make_gateway(folder / "packs", index=index)))


def cut_vectors(folder: Path, version: str) -> None:
    segments = manifest_of(folder, version)["content"]["parts"]
    for name, _ in segments:
        vectors = folder / "index" / "segments" / name / "vectors.npy"
        vectors.write_bytes(vectors.read_bytes()[:-1])


def garble_manifest(folder: Path, version: str) -> None:
    path_of(folder, version).write_text("{")


def lose_manifest(folder: Path, version: str) -> None:
    path_of(folder, version).unlink()


def path_of(folder: Path, version: str) -> Path:
    paths = (folder / "index" / "generations").glob("*.json")
    return next(p for p in paths if json.loads(p.read_text())["content"]["version"] == version)


def manifest_of(folder: Path, version: str) -> Any:
    return json.loads(path_of(folder, version).read_text())


@pytest.mark.parametrize("damage", [cut_vectors, garble_manifest, lose_manifest])
@pytest.mark.parametrize("mend", ["put", "post"])
def test_one_pack_is_spoilt_until_it_is_written(
    tmp_path: Path, damage: Callable[[Path, str], None], mend: str
) -> None:
    client = fresh(tmp_path)
    version = client.put("/v1/domains/broken", json=DOMAIN).json()["version"]
    assert client.put("/v1/domains/whole", json=OTHER).status_code == 201
    before = client.post("/v1/extract", json=ASK).json()
    assert len(before["results"][0]["neighbours"]) == 1
    damage(tmp_path, version)

    client = fresh(tmp_path)
    answer = client.post("/v1/extract", json=ASK)
    assert answer.status_code == 503 and int(answer.headers["retry-after"]) >= 1
    assert "index" in answer.json()["detail"] and "store the pack again" in answer.json()["detail"]
    assert client.post("/v1/extract", json={**ASK, "domain": "whole"}).status_code == 200
    assert client.get("/v1/domains/broken").json()["version"] == version
    assert client.get("/readyz").status_code == 200

    if mend == "put":
        assert client.put("/v1/domains/broken", json=DOMAIN).status_code == 200
        assert client.post("/v1/extract", json=ASK).json() == before
    else:
        more = examples.REQUESTS["AddTaggedExamples"]
        assert client.post("/v1/domains/broken/examples", json=more).status_code == 201
        assert len(client.post("/v1/extract", json=ASK).json()["results"][0]["neighbours"]) == 2
    assert client.post("/v1/extract", json={**ASK, "domain": "whole"}).status_code == 200
