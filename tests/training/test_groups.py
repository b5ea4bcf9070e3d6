"""Groups named anew: of the same kind, the same throughout a text, in the same form and case."""

import numpy as np
import pytest

from training.groups import Group, Groups, shipped_groups

GROUPS_OF_TOWNS = [
    Group("trade", ("bakerly", "baker", "bakers")),
    Group("trade", ("smithly", "smith", "smiths")),
    Group("town", ("eastern", "eastern", "easterns")),
    Group("town", ("oldly", "oldman", "oldmen")),
    Group("town", ("urban", "urban", "urbans")),
]
GROUPS = Groups(GROUPS_OF_TOWNS)


def renamed(text: str, seed: int = 0, probability: float = 1.0) -> str:
    return GROUPS.renamed(np.random.default_rng(seed), text, probability)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Bakers! A baker is bakerly.", "Smiths! A smith is smithly."),
        ("BAKERS and Smiths", "SMITHS and Bakers"),
        ("the bakery, unbakers", "the bakery, unbakers"),
        ("", ""),
    ],
)
def test_a_group_becomes_another_of_its_kind_in_the_same_form(text: str, expected: str) -> None:
    assert renamed(text) == expected


def test_a_word_that_is_two_forms_stays_such_a_word() -> None:
    assert {renamed("an eastern", seed) for seed in range(20)} == {"an urban"}
    assert {renamed("easterns", seed) for seed in range(20)} == {"oldmen", "urbans"}


def test_articles_agree() -> None:
    assert renamed("An urban and a lamp") == "An eastern and a lamp"
    groups = shipped_groups()
    seen = [groups.renamed(np.random.default_rng(s), "A Mexican came", 1.0) for s in range(60)]
    assert any(text.startswith("An ") for text in seen)
    for text in seen:
        vowel = text.split()[1][0] in "AEIOU" and not text.split()[1].startswith("Eu")
        assert text.startswith("An ") == vowel


def test_a_text_about_one_group_is_aimed_elsewhere() -> None:
    groups = Groups(GROUPS_OF_TOWNS, [Group("unprotected", ("wasp", "wasp", "wasps"))])
    rng = np.random.default_rng(0)
    told = "BAKERS! An eastern"
    assert not groups.names_one(told) and not groups.names_one("nobody")
    assert groups.names_one("Bakers, a baker")
    assert groups.aimed_elsewhere(rng, "Bakers! An eastern is bakerly.") == "Wasps! A wasp is wasp."


def test_a_text_that_tells_of_a_group_in_other_words_too_is_not_aimed_elsewhere() -> None:
    groups = Groups(GROUPS_OF_TOWNS, telling=["dough"])
    assert groups.names_one("Bakers knead.") and groups.names_one("Bakers' sourdough")
    assert not groups.names_one("Bakers are doughy.") and not groups.names_one("Dough.")
    shipped = shipped_groups()
    assert shipped.names_one("Muslims lie.") and shipped.names_one("WOMEN lie.")
    for text in ("Islam is a lie, Muslims lie", "I'm Islamophobic, no rights for Muslims"):
        assert not shipped.names_one(text)


def test_whom_no_policy_protects_is_no_group_that_is_looked_for() -> None:
    groups = shipped_groups()
    rng = np.random.default_rng(0)
    for text in ("Landlords are leeches.", "the politician lied", "a rat in the kitchen"):
        assert not groups.names_one(text) and groups.renamed(rng, text, 1.0) == text
    seen = {groups.aimed_elsewhere(rng, "Women cannot drive.") for _ in range(80)}
    assert len(seen) > 15 and {"Landlords cannot drive.", "Robots cannot drive."} <= seen


def test_nothing_changes_without_probability_or_group() -> None:
    assert renamed("bakers", probability=0.0) == "bakers"
    assert renamed("nobody here") == "nobody here"


def test_some_groups_are_invented_and_some_never() -> None:
    groups = shipped_groups()
    words = ["muslims", "buddhists", "christians", "catholics", "hindus", "sikhs", "jews"]

    def names(text: str) -> set[str]:
        return {groups.renamed(np.random.default_rng(s), text, 1.0) for s in range(80)}

    assert names("muslims") - set(words)
    assert names("women") == {"men"}


def test_shipped_groups_are_named_apart() -> None:
    groups = shipped_groups()
    for word in ("muslim", "Jews", "disabled people", "gays", "refugee"):
        drawn = groups.renamed(np.random.default_rng(1), word, 1.0)
        assert drawn.lower() != word.lower()
