"""A policy set that the mappings name is missed unless a retriever is about to import it."""

import asyncio
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from services.api import build_api
from services.drop_in_scores import complaints
from services.stock import stock
from tests.services.drop_in_service import POLICIES, mapped
from tests.services.fakes import FakeIndex, make_gateway
from wraner.pack_folders import write_pack_folder
from wraner.packs import Domain, EntityType, Pack, PolicySet
from wraner.registry import Kind, PackStore


@pytest.mark.parametrize("deleted", [False, True])
def test_a_policy_set_that_ships_is_missed_only_where_nothing_imports_it(
    tmp_path: Path, deleted: bool
) -> None:
    gateway = make_gateway(tmp_path)  # of the shipped mapping, beside the shipped packs
    if deleted:
        with TestClient(build_api(gateway)) as client:
            client.put("/v1/policy-sets/hate-speech", json=POLICIES)
            client.delete("/v1/policy-sets/hate-speech")
    said = asyncio.run(complaints(gateway))
    assert ["'hate-speech', which is not stored" in line for line in said] == [True] * deleted


OWN = Domain(entity_types=(EntityType(name="x"),))
KINDS: dict[str, Pack] = {"policies": PolicySet.model_validate(POLICIES), "domain": OWN}


@pytest.mark.parametrize("before", ["never", "domain stored", "domain deleted"])
@pytest.mark.parametrize("ships", ["policies", "domain", "damaged", "nothing"])
def test_what_nothing_imports_as_a_policy_set_is_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ships: str, before: str
) -> None:
    packs, store = tmp_path / "packs", PackStore(tmp_path / "state")
    if ships in KINDS:
        write_pack_folder(packs / "forum", KINDS[ships])
    elif ships == "damaged":
        (packs / "forum").mkdir(parents=True)
        (packs / "forum" / "pack.yaml").write_text("kind: [")
    if before != "never":
        made = store.publish("forum", OWN, expected=None)
    if before == "domain deleted":
        store.delete(Kind.DOMAIN, "forum", expected=made)
    mapped(tmp_path, monkeypatch)
    monkeypatch.setenv("WRANER_PACKS_DIR", str(packs))
    missed = asyncio.run(complaints(make_gateway(tmp_path / "state")))
    stock(store, FakeIndex(), packs, say=lambda _: None, superseded_for_s=60)
    imported = store.names(Kind.POLICY_SET) == ["forum"]
    assert imported == (ships == "policies" and before == "never")
    assert len(missed) == (0 if imported else 1), missed
