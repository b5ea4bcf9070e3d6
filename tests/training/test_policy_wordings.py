"""Policies in other words: each of the shipped set has some, and draws change nothing else."""

from pathlib import Path

import numpy as np

from training.policy_wordings import (
    PolicyWordings,
    numbered,
    opposite,
    shipped_wordings,
    titled,
    turned,
)
from wraner.pack_folders import read_pack_folder
from wraner.packs import Policy, PolicySet

POLICY = Policy(id="filth", title="Filth", definition="Calls people dirt.", includes=("mud",))
OTHER = PolicyWordings({"filth": ("Dirt", "Says that people are muck.")})


def test_every_shipped_policy_has_other_words_of_its_own() -> None:
    pack = read_pack_folder(Path(__file__).parents[2] / "packs" / "hate-speech")
    assert isinstance(pack, PolicySet)
    others = shipped_wordings().others
    assert set(others) == {p.id for p in pack.policies}
    for policy in pack.policies:
        title, definition = others[policy.id]
        assert title != policy.title and definition != policy.definition
    assert len({title for title, _ in others.values()} | {p.title for p in pack.policies}) == 82


def test_a_share_of_the_draws_is_reworded() -> None:
    rng = np.random.default_rng(0)
    drawn = [OTHER.reworded(rng, POLICY, 0.3) for _ in range(200)]
    other = [p for p in drawn if p != POLICY]
    assert 40 < len(other) < 80
    assert {(p.id, p.title, p.definition, p.includes) for p in other} == {
        ("filth", "Dirt", "Says that people are muck.", ("mud",))
    }
    assert OTHER.reworded(rng, POLICY.model_copy(update={"id": "new"}), 1.0).title == "Filth"


def test_a_number_says_nothing_of_a_policy() -> None:
    rng = np.random.default_rng(0)
    titles = {numbered(rng, POLICY, 1.0).title for _ in range(50)}
    assert len(titles) > 20 and all(t.startswith("Rule ") for t in titles)
    assert numbered(rng, POLICY, 1.0).definition == POLICY.definition


def test_nothing_is_drawn_where_nothing_is_to_be_changed() -> None:
    rng, untouched = np.random.default_rng(0), np.random.default_rng(0)
    assert numbered(rng, OTHER.reworded(rng, POLICY, 0.0), 0.0) == POLICY
    assert rng.random() == untouched.random()


def test_titled_and_opposite_put_a_policy_in_other_words() -> None:
    assert (titled(POLICY).title, titled(POLICY).definition) == ("Filth", "")
    assert opposite(POLICY).excludes == POLICY.includes and opposite(POLICY).includes == ()
    assert POLICY.definition in opposite(POLICY).definition
    assert opposite(POLICY).is_allow_list and not POLICY.is_allow_list


def test_a_share_of_the_draws_is_turned_around_in_words_that_vary() -> None:
    rng = np.random.default_rng(0)
    drawn = [turned(rng, POLICY, 0.3) for _ in range(200)]
    other = [p for p in drawn if p is not POLICY]
    assert 40 < len(other) < 80 and len({p.definition for p in other}) > 3
    assert all(p.excludes == POLICY.includes and POLICY.definition in p.definition for p in other)
    longest = POLICY.model_copy(update={"title": "x" * 100})
    assert all(len(turned(rng, longest, 1.0).title) <= 100 for _ in range(20))
