"""What differs between two policy sets."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from wraner.packs import PolicySet
from wraner.policy_changes import FIELDS, ExampleChanges, FieldChange, compare


def policies(*ids: str, examples: tuple[dict[str, Any], ...] = (), **first: Any) -> PolicySet:
    """A set of these ids; `first` changes fields of the first one."""
    made = [{"id": i, "title": i.upper(), "definition": f"No {i}."} for i in ids]
    return PolicySet.model_validate(
        {"policies": [made[0] | first, *made[1:]], "examples": examples}
    )


def test_policies_that_come_and_go() -> None:
    found = compare(policies("a", "b"), policies("b", "c"))
    assert [p.id for p in found.added] == ["c"] and [p.id for p in found.removed] == ["a"]
    assert found.changed == () and not found.examples


def test_every_changed_field_is_told_with_both_values() -> None:
    changes = {
        "title": "New",
        "tier": 2,
        "definition": "Other.",
        "includes": ("x",),
        "excludes": ("y",),
        "threshold": 0.4,
    }
    assert set(changes) == set(FIELDS)
    before, after = policies("a"), policies("a", **changes)
    (change,) = compare(before, after).changed
    assert (change.id, change.title) == ("a", "New")
    assert change.fields == tuple(
        FieldChange(field=f, old=getattr(before.policies[0], f), new=changes[f]) for f in FIELDS
    )


def test_examples_are_told_by_the_policies_that_they_name() -> None:
    before = policies(
        "a", "b", "c",
        examples=(
            {"id": "kept", "text": "k", "violates": ["a"]},
            {"id": "gone", "text": "g", "complies": ["a"]},
            {"id": "turned", "text": "t", "violates": ["b"]},
        ),
    )  # fmt: skip
    after = policies(
        "a", "b", "c",
        examples=(
            {"id": "turned", "text": "t", "complies": ["b"]},
            {"id": "kept", "text": "k", "violates": ["a"]},
            {"id": "fresh", "text": "f", "violates": ["a"], "complies": ["b"]},
        ),
    )  # fmt: skip
    found = compare(before, after)
    a, b = found.changed
    assert (a.id, b.id) == ("a", "b") and a.fields == b.fields == ()
    assert a.examples == ExampleChanges(added=("fresh",), removed=("gone",))
    assert b.examples == ExampleChanges(added=("fresh",), changed=("turned",))
    assert found.examples == ExampleChanges(
        added=("fresh",), removed=("gone",), changed=("turned",)
    )


def test_what_complies_with_all_names_no_policy_but_is_counted() -> None:
    found = compare(
        policies("a"), policies("a", examples=({"id": "e", "text": "t", "complies": "all"},))
    )
    assert found.changed == () and found.examples.added == ("e",) and found


def test_an_example_that_another_policy_came_to_name_changed_for_that_one_alone() -> None:
    example = {"id": "e", "text": "t", "violates": ["a"]}
    before = policies("a", "b", examples=(example,))
    after = policies("a", "b", examples=({**example, "complies": ["b"]},))
    (change,) = compare(before, after).changed
    assert change.id == "b" and change.examples.added == ("e",)


def test_a_description_is_a_change() -> None:
    before = policies("a")
    found = compare(before, before.model_copy(update={"description": "New."}))
    assert found and found.description == FieldChange(field="description", old="", new="New.")


@given(st.permutations(("a", "b", "c")))
def test_another_order_is_a_change_of_its_own(order: list[str]) -> None:
    found = compare(policies("a", "b", "c"), policies(*order))
    assert found.reordered is bool(found) is (order != ["a", "b", "c"])
    assert not compare(policies("a", "b", "c"), policies("a", "x", "c")).reordered


IDS = st.lists(st.sampled_from("abcd"), min_size=1, unique=True)


@given(IDS, IDS)
def test_back_again_is_the_mirror_image(old: list[str], new: list[str]) -> None:
    there, back = compare(policies(*old), policies(*new)), compare(policies(*new), policies(*old))
    assert (there.added, there.removed) == (back.removed, back.added)
    assert {p.id for p in there.added} == set(new) - set(old)
