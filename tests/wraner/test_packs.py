from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from wraner.errors import InvalidInput
from wraner.packs import (
    Domain,
    EntityType,
    JudgedExample,
    Pack,
    Policy,
    PolicySet,
    TaggedExample,
    check_pack,
    definitions_of,
    example_hash,
    version,
)


def domain(**changes: Any) -> Domain:
    body = {
        "entity_types": [{"name": "person"}, {"name": "city"}],
        "examples": [{"text": "Bob in Rome", "entities": [_mention(0, 3), _mention(7, 11)]}],
    }
    return Domain.model_validate(body | changes)


def _mention(start: int, end: int, label: str = "person") -> dict[str, Any]:
    return {"start": start, "end": end, "label": label}


def policy_set(examples: list[dict[str, Any]], **policy: Any) -> PolicySet:
    first = {"id": "p", "title": "P", "definition": "No p."} | policy
    second = {"id": "q", "title": "Q", "definition": "No q."}
    return PolicySet.model_validate({"policies": [first, second], "examples": examples})


@pytest.mark.parametrize(
    ("mentions", "pointer"),
    [
        ([_mention(0, 3, "dog")], "/examples/0/entities/0/label"),
        ([_mention(0, 12)], "/examples/0/entities/0"),
        ([_mention(3, 1)], "/examples/0/entities/0"),
        ([_mention(0, 2)], "/examples/0/entities/0"),
        ([_mention(0, 4)], "/examples/0/entities/0"),
        ([_mention(0, 6), _mention(4, 11)], "/examples/0/entities/1"),
    ],
)
def test_bad_mentions_are_named(mentions: list[dict[str, Any]], pointer: str) -> None:
    bad = domain(examples=[{"text": "Bob in Rome", "entities": mentions}])
    with pytest.raises(InvalidInput) as caught:
        check_pack(bad)
    assert caught.value.pointer == pointer


@pytest.mark.parametrize(
    ("example", "pointer"),
    [
        ({"violates": ["r"]}, "/examples/0/violates/0"),
        ({"complies": ["p", "r"]}, "/examples/0/complies/1"),
        ({"violates": ["p", "p"]}, "/examples/0/violates/1"),
        ({"violates": ["p"], "complies": ["p"]}, "/examples/0/complies"),
        ({"violates": ["p"], "complies": "all"}, "/examples/0/complies"),
    ],
)
def test_bad_judgements_are_named(example: dict[str, Any], pointer: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_pack(policy_set([{"text": "t"} | example]))
    assert caught.value.pointer == pointer


def test_duplicates_are_named() -> None:
    with pytest.raises(InvalidInput) as caught:
        check_pack(domain(entity_types=[{"name": "a"}, {"name": "b"}, {"name": "a"}]))
    assert caught.value.pointer == "/entity_types/2/name"
    twice = [{"id": "e", "text": "x"}, {"id": "e", "text": "y"}]
    with pytest.raises(InvalidInput) as caught:
        check_pack(domain(examples=twice))
    assert caught.value.pointer == "/examples/1/id"


@pytest.mark.parametrize(
    "body",
    [
        {"entity_types": []},
        {"entity_types": [{"name": ""}]},
        {"entity_types": [{"name": "two\nlines"}]},
        {"entity_types": [{"name": "x" * 101}]},
        {"entity_types": [{"name": "x", "other": 1}]},
        {"entity_types": [{"name": 1}]},
        {"entity_types": [{"name": "\ud800"}]},
        {"examples": [{"text": ""}]},
        {"examples": [{"text": "x", "entities": [_mention(0, True)]}]},
        {"examples": [{"text": "x", "entities": [{"start": "0", "end": 1, "label": "person"}]}]},
    ],
)
def test_bad_shapes_are_refused(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        domain(**body)


@pytest.mark.parametrize(
    ("definition", "allows"),
    [
        ("Only questions about bread.", True),
        (" ONLY posts with a photo of a cat", True),
        ("Only members speak for the club.", False),
        ("Anything but questions.", True),
        ("Anything\nbut questions.", True),
        ("Anything  but questions.", True),
        ("Only\u00a0posts about cats.", True),
        ("Everything except what has a price.", True),
        ("Anything other than a joke.", True),
        ("Nothing but jokes.", True),
        ("Onlyfans adverts.", False),
        ("Offers open only to men.", False),
        ("Anything that insults somebody.", False),
    ],
)
def test_how_a_definition_begins_tells_that_it_names_what_is_allowed(
    definition: str, allows: bool
) -> None:
    cases: dict[str, Any] = {"includes": ("a",), "excludes": ("b",)}
    policy = Policy(id="x", title="Only x", definition=definition, **cases)
    assert policy.is_allow_list is allows
    assert policy.named == (("b",) if allows else ("a",))


def test_an_id_defaults_to_the_contents_hash() -> None:
    first, second = domain().examples[0], domain().examples[0]
    assert first.id == second.id and len(first.id) == 16
    other = domain(examples=[{"text": "Bob in Rome"}]).examples[0]
    assert other.id != first.id


def test_an_id_does_not_depend_on_the_order_of_entities() -> None:
    mentions = [_mention(0, 3), _mention(7, 11, "city")]
    ids = {
        domain(examples=[{"text": "Bob in Rome", "entities": some}]).examples[0].id
        for some in (mentions, mentions[::-1])
    }
    assert len(ids) == 1


def test_an_id_does_not_depend_on_the_order_of_policies() -> None:
    for field in ("violates", "complies"):
        ids = {
            policy_set([{"text": "t", field: some}]).examples[0].id
            for some in (["p", "q"], ["q", "p"])
        }
        assert len(ids) == 1
    # As it was before the order was seen to: what is stored keeps its id.
    (example,) = policy_set([{"text": "t", "violates": ["p"], "complies": ["q"]}]).examples
    assert example.id == example_hash(example)[:16]


class Counted(str):
    """A name that counts how often any is looked up or put in a set."""

    hashed = 0

    def __hash__(self) -> int:
        Counted.hashed += 1
        return super().__hash__()


@pytest.mark.parametrize("kind", ["domain", "policy set"])
def test_definitions_are_collected_once_for_all_examples(kind: str) -> None:
    count = 100
    names = [Counted(f"n{n}") for n in range(count)]
    pack: Pack
    if kind == "domain":
        types = tuple(EntityType.model_construct(name=n, definition="") for n in names)
        tagged = tuple(TaggedExample(id=f"e{n}", text="x") for n in range(count))
        pack = Domain.model_construct(entity_types=types, examples=tagged)
    else:
        rules = tuple(Policy.model_construct(id=n, title="t", definition="d") for n in names)
        judged = tuple(JudgedExample(id=f"e{n}", text="x") for n in range(count))
        pack = PolicySet.model_construct(policies=rules, examples=judged)
    Counted.hashed = 0
    check_pack(pack)
    assert count <= Counted.hashed < 10 * count


@given(st.permutations(range(5)))
def test_a_version_does_not_depend_on_the_order_of_examples(order: list[int]) -> None:
    examples = [{"text": f"text {n}"} for n in range(5)]
    shuffled = domain(examples=[examples[n] for n in order])
    assert version(shuffled) == version(domain(examples=examples))


def test_a_version_depends_on_all_else() -> None:
    versions = {
        version(domain()),
        version(domain(description="d")),
        version(domain(entity_types=[{"name": "city"}, {"name": "person"}])),
        version(domain(examples=[])),
        version(domain(examples=[{"id": "e", "text": "Bob in Rome"}])),
        version(definitions_of(policy_set([]))),
    }
    assert len(versions) == 6
