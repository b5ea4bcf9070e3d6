from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index import generations
from index.encoders import Encoders
from index.generations import Generation, build
from index.search import nearest
from index.settings import IndexSettings
from index.similarity import words_that_count
from wraner import packs
from wraner.packs import Domain, EntityType, JudgedExample, Policy, PolicySet, TaggedExample

SETTINGS = IndexSettings()
WORDS = ["Strasbourg", "cathedral", "the", "Rhine", ",", "Goethe", "bridge", "1998"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=4).map(" ".join)
CONTENTS = st.dictionaries(st.sampled_from("abcdefghijkl"), TEXTS, max_size=12)


def domain(contents: dict[str, str]) -> Domain:
    examples = tuple(TaggedExample(id=i, text=text) for i, text in contents.items())
    return Domain(entity_types=(EntityType(name="thing"),), examples=examples)


def answers(generation: Generation, encoder: Any, k: int = 20) -> list[list[tuple[str, float]]]:
    found = []
    for text in (*WORDS, "Goethe crossed the Rhine bridge at Strasbourg", ""):
        query = words_that_count(encoder.encode([text])[0], SETTINGS)
        hits = nearest(generation, query, k, SETTINGS)
        found.append([(hit.entry.id, hit.similarity) for hit in hits])
    return found


@settings(max_examples=60, deadline=None)
@given(versions=st.lists(CONTENTS, min_size=2, max_size=5), small=st.sampled_from([0, 2, 256]))
def test_after_any_edits_the_answers_are_those_of_a_fresh_build(
    versions: list[dict[str, str]], small: int, make_encoder: Callable[[], Any]
) -> None:
    encoder = make_encoder()
    generation = None
    with patch.object(generations, "_SMALL_PART", small):
        for contents in versions:
            generation = build(domain(contents), Encoders.same(encoder), SETTINGS, generation)
    assert generation is not None
    fresh = build(domain(versions[-1]), Encoders.same(encoder), SETTINGS)
    assert generation.identity == fresh.identity
    assert generation.count == len(versions[-1])
    assert answers(generation, encoder) == answers(fresh, encoder)
    assert answers(generation, encoder, k=2) == answers(fresh, encoder, k=2)


def test_an_edit_encodes_only_what_it_changes(make_encoder: Callable[[], Any]) -> None:
    encoder = make_encoder()
    contents = {f"e{n}": f"Goethe saw bridge number {n}" for n in range(500)}
    first = build(domain(contents), Encoders.same(encoder), SETTINGS)
    before = [(part.segment.name, part.gone) for part in first.parts]
    encoder.encoded.clear()
    contents["e3"] = "Schiller saw no bridge"
    del contents["e4"]
    second = build(domain(contents), Encoders.same(encoder), SETTINGS, first)
    assert encoder.encoded == ["Schiller saw no bridge"]
    assert second.count == 499
    assert [(part.segment.name, part.gone) for part in first.parts] == before
    assert first.parts[0].segment in [part.segment for part in second.parts]


def test_new_tags_on_an_old_text_are_seen(make_encoder: Callable[[], Any]) -> None:
    encoder = make_encoder()
    first = build(domain({"a": "Goethe"}), Encoders.same(encoder), SETTINGS)
    tagged = TaggedExample.model_validate(
        {"id": "a", "text": "Goethe", "entities": [{"start": 0, "end": 6, "label": "thing"}]}
    )
    pack = domain({}).model_copy(update={"examples": (tagged,)})
    second = build(pack, Encoders.same(encoder), SETTINGS, first)
    entry = second.parts[0].segment.entries[0]
    assert TaggedExample.model_validate_json(entry.record) == tagged


def test_parts_stay_few_and_what_is_gone_is_swept(make_encoder: Callable[[], Any]) -> None:
    encoder = make_encoder()
    contents: dict[str, str] = {}
    generation = None
    for n in range(1200):
        contents[f"e{n}"] = WORDS[n % len(WORDS)]
        if n % 37 == 0:
            generation = build(domain(contents), Encoders.same(encoder), SETTINGS, generation)
            assert len(generation.parts) <= 8
    assert generation is not None
    few = dict(list(contents.items())[:100])
    swept = build(domain(few), Encoders.same(encoder), SETTINGS, generation)
    assert sum(len(part.segment.entries) for part in swept.parts) <= 100 / 0.75


def test_a_pack_without_examples(make_encoder: Callable[[], Any]) -> None:
    generation = build(domain({}), Encoders.same(make_encoder()), SETTINGS)
    assert generation.count == 0
    assert answers(generation, make_encoder()) == [[]] * (len(WORDS) + 2)


def test_policies_own_words_are_encoded_once(make_encoder: Callable[[], Any]) -> None:
    encoder = make_encoder()
    policies = (
        Policy(
            id="z", title="No shouting", definition="Loud.", includes=("Caps",), excludes=("Q",)
        ),
        Policy(id="a", title="No fish", definition="Fish."),
    )
    first = build(PolicySet(policies=policies), Encoders.same(encoder), SETTINGS)
    assert first.policies == ("z", "a")
    assert encoder.encoded[0] == "No shouting\nLoud.\nCaps", "what is excluded is no breach"
    encoder.encoded.clear()
    example = JudgedExample(text="AAAH", violates=("z",))
    second = build(
        PolicySet(policies=policies, examples=(example,)), Encoders.same(encoder), SETTINGS, first
    )
    assert encoder.encoded == ["AAAH"]
    assert second.definitions is first.definitions


def test_of_changed_policies_only_what_changed_is_encoded(make_encoder: Callable[[], Any]) -> None:
    encoder = make_encoder()
    fish, noise, dogs = (
        Policy(id=name, title=f"No {name}", definition=f"Whatever has to do with {name}.")
        for name in ("fish", "noise", "dogs")
    )
    loud = noise.model_copy(update={"definition": "Loud noise."})
    generation = None
    for policies, read in (
        ((noise, fish), [fish, noise]),
        ((dogs, fish, noise), [dogs]),
        ((dogs, fish, loud), [loud]),
        ((loud, fish), []),
    ):
        encoder.encoded.clear()
        generation = build(
            PolicySet(policies=policies), Encoders.same(encoder), SETTINGS, generation
        )
        assert {p.id for p in read} == {
            p.id for p in policies if any(p.definition in text for text in encoder.encoded)
        }
        fresh = build(PolicySet(policies=policies), Encoders.same(make_encoder()), SETTINGS)
        assert generation.definitions and fresh.definitions
        assert generation.definitions.name == fresh.definitions.name
        for held in ("vectors", "weights", "offsets", "texts"):
            ours, theirs = getattr(generation.definitions, held), getattr(fresh.definitions, held)
            assert np.array_equal(ours, theirs)


def test_a_line_that_moves_from_definition_to_includes_is_read_anew(
    make_encoder: Callable[[], Any],
) -> None:
    encoders = Encoders.same(make_encoder())
    line = "Links to shops."
    whole = Policy(id="a", title="Ads", definition=f"Ads.\n{line}")
    apart = Policy(id="a", title="Ads", definition="Ads.", includes=(line,))
    first = build(PolicySet(policies=(whole,)), encoders, SETTINGS)
    second = build(PolicySet(policies=(apart,)), encoders, SETTINGS, first)
    fresh = build(PolicySet(policies=(apart,)), encoders, SETTINGS)
    assert first.definitions and second.definitions and fresh.definitions
    assert second.definitions.name == fresh.definitions.name != first.definitions.name


@pytest.mark.parametrize("change", [{"aggregation": "symmetric"}, {"query_words": 3}])
def test_identity_names_pack_encoder_and_settings(
    change: dict[str, Any], make_encoder: Callable[[], Any]
) -> None:
    pack, encoder = domain({"a": "Goethe"}), make_encoder()
    other = make_encoder()
    other.identity = "another"
    names = {
        build(pack, Encoders.same(encoder), SETTINGS).identity,
        build(pack, Encoders.same(encoder), IndexSettings(**change)).identity,
        build(pack, Encoders.same(other), SETTINGS).identity,
        build(domain({"a": "Schiller"}), Encoders.same(encoder), SETTINGS).identity,
    }
    assert len(names) == 4
    assert build(pack, Encoders.same(encoder), SETTINGS).version == packs.version(pack)
