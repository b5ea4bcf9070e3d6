"""Regularisers: nothing at probability 0, what their names say at 1, gold carried along."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import regularisers
from training.regularisers import Rng, Wording, plain
from training.sheets import TypeSheet
from wraner.entities import Mention
from wraner.packs import TaggedExample

TYPES = tuple(
    TypeSheet(
        label=name.upper(),
        name=name,
        definition=f"what {name} is",
        paraphrases=(f"{name} in other words", f"{name} once more"),
        synonyms=(f"{name}-like", f"{name}-ish"),
    )
    for name in ("person", "town", "river")
)
EXAMPLE = TaggedExample(
    text="Ann swam the Rhine to Bonn.",
    entities=(Mention(0, 3, "person"), Mention(13, 18, "river"), Mention(22, 26, "town")),
)


def rng(seed: int = 0) -> Rng:
    return np.random.default_rng(seed)


def names(wording: Wording) -> list[str]:
    return [t.name for t in wording.entity_types]


@given(seed=st.integers(0, 1000))
def test_at_probability_0_nothing_changes(seed: int) -> None:
    drawn, asked = rng(seed), plain(TYPES)
    assert regularisers.masked(drawn, TYPES, 0) == list(TYPES)
    assert regularisers.shuffled(drawn, TYPES, 0) == list(TYPES)
    for change in (
        regularisers.paraphrased,
        regularisers.undefined,
        regularisers.renamed,
        regularisers.anonymous,
    ):
        assert change(drawn, asked, 0) == asked
    assert regularisers.trusted({1: 0.5, 2: 0.9}, 0) == [1, 2]
    assert regularisers.irrelevant(drawn, [1, 2], [3, 4], 0) == [1, 2]
    assert regularisers.mistagged(drawn, EXAMPLE, ["person", "town"], 0) == EXAMPLE


@given(seed=st.integers(0, 1000))
def test_what_is_masked_is_left_out_of_types_and_tags(seed: int) -> None:
    kept = regularisers.masked(rng(seed), TYPES, 1)
    assert 1 <= len(kept) <= 3 and [t for t in TYPES if t in kept] == kept
    shown = plain(kept).tagged(EXAMPLE)
    assert shown.entities == tuple(m for m in EXAMPLE.entities if m.label in {t.name for t in kept})


def test_masking_leaves_any_number_of_types_and_spares_none() -> None:
    drawn = [regularisers.masked(rng(seed), TYPES, 1) for seed in range(40)]
    assert {len(kept) for kept in drawn} == {1, 2, 3}
    assert {kept[0].name for kept in drawn if len(kept) == 1} == {t.name for t in TYPES}


@given(seed=st.integers(0, 1000))
def test_types_and_tags_are_renamed_together(seed: int) -> None:
    for change in (regularisers.renamed, regularisers.anonymous):
        wording = change(rng(seed), plain(TYPES), 1)
        assert len(set(names(wording))) == len(TYPES)
        expected = dict(zip((t.name for t in TYPES), names(wording), strict=True))
        labels = [m.label for m in wording.tagged(EXAMPLE).entities]
        assert labels == [expected[m.label] for m in EXAMPLE.entities]


def test_synonyms_are_the_sheets_own() -> None:
    seen = {
        name
        for seed in range(40)
        for name in names(regularisers.renamed(rng(seed), plain(TYPES), 1))
    }
    assert seen == {name for t in TYPES for name in (t.name, *t.synonyms)}


def test_letters_keep_their_definitions() -> None:
    wording = regularisers.anonymous(rng(), plain(TYPES), 1)
    assert all(name.startswith("type ") for name in names(wording))
    assert [t.definition for t in wording.entity_types] == [t.definition for t in TYPES]


def test_types_without_definitions_are_never_letters() -> None:
    bare = regularisers.undefined(rng(), plain(TYPES), 1)
    assert {t.definition for t in bare.entity_types} == {""}
    assert regularisers.anonymous(rng(), bare, 1) == bare


def test_more_types_than_letters_keep_their_names() -> None:
    many = [TYPES[0].model_copy(update={"name": f"kind {i}"}) for i in range(27)]
    assert regularisers.anonymous(rng(), plain(many), 1) == plain(many)
    assert names(regularisers.anonymous(rng(), plain(many[:26]), 1)) != names(plain(many[:26]))


def test_paraphrases_are_the_sheets_own() -> None:
    wording = regularisers.paraphrased(rng(), plain(TYPES), 1)
    for worded in wording.types:
        assert worded.shown.definition in worded.sheet.paraphrases


@given(seed=st.integers(0, 1000), items=st.lists(st.integers(), max_size=8))
def test_what_is_shuffled_is_all_there(seed: int, items: Sequence[int]) -> None:
    assert sorted(regularisers.shuffled(rng(seed), items, 1)) == sorted(items)


def test_shuffling_gives_every_order() -> None:
    orders = {tuple(regularisers.shuffled(rng(seed), "abc", 1)) for seed in range(60)}
    assert orders == set(permutations("abc"))


def test_what_is_doubted_most_is_not_trusted() -> None:
    doubts = {"a": 0.1, "b": 0.9, "c": -0.3, "d": 0.5, "e": 0.2}
    assert regularisers.trusted(doubts, 0.2) == ["a", "c", "d", "e"]
    assert regularisers.trusted(doubts, 0.4) == ["a", "c", "e"]
    assert regularisers.trusted(doubts, 1) == []


def test_of_equally_doubted_examples_all_stay_or_none() -> None:
    doubts = {"a": 0.0, "b": 0.7, "c": 0.0, "d": 0.0, "e": 0.0}
    assert regularisers.trusted(doubts, 0.6) == ["a", "c", "d", "e"]


def test_neighbours_give_way_to_random_examples() -> None:
    assert set(regularisers.irrelevant(rng(), [1, 2, 3], range(7, 99), 1)) <= set(range(7, 99))
    assert regularisers.irrelevant(rng(), [1, 2], [], 1) == [1, 2]


@given(seed=st.integers(0, 1000))
def test_no_example_is_shown_twice(seed: int) -> None:
    shown = regularisers.irrelevant(rng(seed), [1, 2, 3], [2, 3, 4], 1)
    assert len(set(shown)) == 3


@pytest.mark.parametrize("seed", range(5))
def test_spoilt_tags_are_lost_or_have_another_label(seed: int) -> None:
    spoilt = regularisers.mistagged(rng(seed), EXAMPLE, ["elsewhere"], 1)
    places = {(m.start, m.end) for m in EXAMPLE.entities}
    assert all((m.start, m.end) in places for m in spoilt.entities)
    assert {m.label for m in spoilt.entities} <= {"elsewhere"}


def test_half_of_the_spoilt_tags_are_lost() -> None:
    spoilt = [regularisers.mistagged(rng(seed), EXAMPLE, ["elsewhere"], 1) for seed in range(200)]
    left = [len(example.entities) for example in spoilt]
    assert set(left) == {0, 1, 2, 3}, "each mention for itself"
    assert sum(left) == pytest.approx(300, abs=40)
