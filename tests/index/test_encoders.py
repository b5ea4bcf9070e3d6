import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index import encoders
from index.encoders import Encoders, kind_of, load_encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from index.store import GenerationStore
from index.wordings import write_home
from tests.index.conftest import WIDTH
from wraner.errors import Unavailable
from wraner.packs import (
    Domain,
    EntityType,
    JudgedExample,
    Policy,
    PolicySet,
    TaggedExample,
    version,
)
from wraner.retrieval import PackRef

TRIPS = Domain(
    entity_types=(EntityType(name="town"),), examples=(TaggedExample(text="Off to Lyon!"),)
)
FISH = PolicySet(
    policies=(Policy(id="p", title="No fish", definition="Fish."),),
    examples=(JudgedExample(text="Herring!", violates=("p",)),),
)
SETTINGS = IndexSettings()


@pytest.fixture
def pair(make_encoder: Callable[..., Any]) -> Encoders:
    return Encoders(make_encoder(16), make_encoder(8))


def test_each_kind_of_pack_has_its_own(pair: Encoders) -> None:
    assert pair.of(kind_of(TRIPS)) is pair.domains
    assert pair.of(kind_of(FISH)) is pair.policy_sets
    same = Encoders.same(pair.domains)
    assert same.of("PolicySet") is same.of("Domain") is pair.domains


def test_a_retriever_asks_the_encoder_of_the_pack(
    make_encoder: Callable[..., Any], tmp_path: Path
) -> None:
    domains, policy_sets = make_encoder(16), make_encoder(8)
    pair = Encoders(domains, policy_sets)
    store = GenerationStore(tmp_path, pair, SETTINGS)
    for pack in (TRIPS, FISH):
        store.build(pack)
    for root, inline in ((tmp_path, False), (None, True)):
        retriever = LocalRetriever(pair, SETTINGS, root)
        trips, fish = (PackRef(version(p), inline=p if inline else None) for p in (TRIPS, FISH))
        (near,) = retriever.neighbours_now(trips, ["To Lyon"], 1)
        assert near.neighbours[0].example.text == "Off to Lyon!"
        (found,) = retriever.evidence_now(fish, ["A herring"], 1)
        assert found.policies[0].examples[0].example.text == "Herring!"
    assert set(domains.encoded) == {"Off to Lyon!", "To Lyon"}
    assert set(policy_sets.encoded) == {"Herring!", "A herring", "No fish\nFish.", "No fish. Fish."}


def test_only_packs_of_its_kind_are_indexed_anew_for_another_encoder(
    pair: Encoders, make_encoder: Callable[..., Any], tmp_path: Path
) -> None:
    first = GenerationStore(tmp_path, pair, SETTINGS)
    trips, fish = first.build(TRIPS), first.build(FISH)
    other = GenerationStore(tmp_path, Encoders(make_encoder(12), pair.policy_sets), SETTINGS)
    assert not other.has(version(TRIPS))
    assert other.open(version(FISH)).identity == fish.identity
    again = other.build(TRIPS)
    assert again.identity != trips.identity
    assert again.parts[0].segment.name != trips.parts[0].segment.name
    assert again.parts[0].segment.vectors.shape[1] == 12
    other.drop(version(FISH))
    assert not first.has(version(FISH)) and first.has(version(TRIPS))


def test_loading_takes_the_layer_or_the_tuning(
    tiny: Path, tuning: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoders, "DOMAIN_LAYER", 1)
    monkeypatch.setattr(encoders, "POLICY_SET_LAYER", 2)
    monkeypatch.setattr(encoders, "TEXT_LAYER", 2)
    plain, tuned = load_encoders(tiny, None), load_encoders(tiny, tuning)
    assert plain.policy_sets.identity == tuned.policy_sets.identity
    names = {plain.domains.identity, tuned.domains.identity, plain.policy_sets.identity}
    assert len(names) == 3
    text = "ab Cd"
    first, second = (e.domains.encode([text])[0].vectors for e in (plain, tuned))
    assert (first != second).all()
    first, second = (e.policy_sets.encode([text])[0].vectors for e in (plain, tuned))
    assert (first == second).all()


def test_a_tuning_for_policy_sets_says_where_its_policies_lie(
    tiny: Path, tuning: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DOMAIN_LAYER", "POLICY_SET_LAYER", "TEXT_LAYER"):
        monkeypatch.setattr(encoders, name, 2)
    assert load_encoders(tiny, None).wordings is None
    own = tmp_path / "own"
    shutil.copytree(tuning, own)
    reader = load_encoders(tiny, None, for_policies=own).wordings
    assert reader is not None and reader.home is None
    write_home(np.eye(1, WIDTH, dtype=np.float32)[0], own)
    reader = load_encoders(tiny, None, for_policies=own).wordings
    assert reader is not None and reader.home is not None and reader.home[0] == 1.0


def test_an_encoder_with_too_few_layers_is_unavailable(tiny: Path) -> None:
    with pytest.raises(Unavailable, match="expected a layer between 0 and 2, was: 4"):
        load_encoders(tiny, None)
