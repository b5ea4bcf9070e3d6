"""Packs: definitions in words plus tagged examples, as clients send them and as files hold them.

One set of frozen models serves the HTTP bodies, the files and the code; `check_domain` and
`check_policy_set` add the rules that a type cannot say. A version is the hash of the content, so
the same pack has the same version everywhere. Knows no index and no files.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictFloat, StrictStr

from wraner.entities import Mention, check_mentions
from wraner.errors import InvalidInput

MAX_LABEL_CHARACTERS = 100

_ALL_BUT = re.compile(
    r"((any|every)thing (but|except|other than|apart from)|nothing but|only (posts|messages|texts|"
    r"comments|entries|listings|questions|answers|offers|requests|reports|reviews))\b",
    re.IGNORECASE,
)  # not every "only": "Only members speak for the club" names no texts


def _one_line(value: str) -> str:
    if not value.strip() or value != value.strip() or len(value.splitlines()) != 1:
        raise ValueError("expected one non-empty line without white space at its ends")
    return value


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("expected at least one visible character")
    return value


Label = Annotated[
    StrictStr, Field(min_length=1, max_length=MAX_LABEL_CHARACTERS), AfterValidator(_one_line)
]
Words = Annotated[StrictStr, AfterValidator(_not_blank)]

Item = TypeVar("Item")
Several = Annotated[tuple[Item, ...], Field(fail_fast=True)]
"""An array, read up to its first fault: there may be one for every few bytes of a body."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EntityType(_Frozen):
    """A type of entity: its name and what counts as one, in words."""

    name: Label
    definition: StrictStr = ""


class Policy(_Frozen):
    """A written policy; `includes` and `excludes` sharpen its definition.

    A definition that begins with "Anything but" or "Only posts" names what alone is allowed.
    `threshold` overrides the request's for this policy; `tier` orders severity, 1 worst.
    """

    id: Label
    title: Label
    tier: Annotated[int, Field(strict=True, ge=1)] | None = None
    definition: Words
    includes: Several[Words] = ()
    excludes: Several[Words] = ()
    threshold: Annotated[StrictFloat, Field(ge=0, le=1)] | None = None

    @property
    def is_allow_list(self) -> bool:
        """Whether it names what alone is allowed, so that everything else is a breach.

        Its definition then begins so: "Anything but", "Everything except", "Nothing but" and the
        like, or "Only posts", "Only questions" and others of the kind.
        """
        return _ALL_BUT.match(" ".join(self.definition.split())) is not None

    @property
    def named(self) -> tuple[str, ...]:
        """The cases of what its definition names: of breaches, or of what an allow-list allows."""
        return self.excludes if self.is_allow_list else self.includes


class TaggedExample(_Frozen):
    """A text with its gold entities; an untagged word is no entity. Without id: content hash."""

    id: Label = ""
    text: Words
    entities: Several[Mention] = ()

    def model_post_init(self, context: Any) -> None:
        """Fill a missing id."""
        _fill_id(self)


class JudgedExample(_Frozen):
    """A text with the policies that it violates and those that it complies with.

    What is named in neither is unknown, not negative; ``"all"``: complies with every policy.
    """

    id: Label = ""
    text: Words
    violates: Several[Label] = ()
    complies: Several[Label] | Literal["all"] = ()

    def model_post_init(self, context: Any) -> None:
        """Fill a missing id."""
        _fill_id(self)

    def keeps(self, policy: str) -> bool:
        """Return whether it is known to comply with a policy."""
        return self.complies == "all" or policy in self.complies


Example = TaggedExample | JudgedExample


class Domain(_Frozen):
    """A pack whose definitions are entity types."""

    description: StrictStr = ""
    entity_types: Annotated[Several[EntityType], Field(min_length=1)]
    examples: Several[TaggedExample] = ()

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the entity types, in their written order."""
        return tuple(t.name for t in self.entity_types)


class PolicySet(_Frozen):
    """A pack whose definitions are policies."""

    description: StrictStr = ""
    policies: Annotated[Several[Policy], Field(min_length=1)]
    examples: Several[JudgedExample] = ()


Pack = Domain | PolicySet


def _digest(value: object) -> str:
    plain = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(plain.encode()).hexdigest()


def example_hash(example: Example) -> str:
    """Return the hash of an example's content, its id left out."""
    return _digest(example.model_dump(mode="json", exclude={"id"}))


def in_order(example: Example) -> Example:
    """Return an example that says the same: in which order it names things says nothing."""
    inside: dict[str, tuple[object, ...]]
    if isinstance(example, TaggedExample):
        inside = {"entities": tuple(sorted(example.entities))}
    else:
        inside = {"violates": tuple(sorted(example.violates))}
        if example.complies != "all":
            inside["complies"] = tuple(sorted(example.complies))
    return example.model_copy(update=inside)


def _fill_id(example: Example) -> None:
    """Name an example by what it says."""
    if not example.id:
        object.__setattr__(example, "id", example_hash(in_order(example))[:16])


def as_tagged(example: Example) -> TaggedExample:
    """Return an example of a domain as what it is."""
    assert isinstance(example, TaggedExample)
    return example


def definitions_of(pack: Pack) -> Pack:
    """Return the pack without its examples."""
    return pack.model_copy(update={"examples": ()})


def version(pack: Pack) -> str:
    """Return the hash of the whole content; the order in which examples came does not matter."""
    definitions = definitions_of(pack).model_dump(mode="json")
    examples = sorted((e.id, example_hash(e)) for e in pack.examples)
    return _digest([type(pack).__name__, definitions, examples])


def check_domain(domain: Domain) -> None:
    """Refuse duplicate names or ids and entities that do not fit their text.

    Raises:
        InvalidInput: naming the field.
    """
    _check_unique([t.name for t in domain.entity_types], "/entity_types/{}/name")
    check_examples(domain, domain.examples)


def check_policy_set(policy_set: PolicySet) -> None:
    """Refuse duplicate ids and examples that name unknown or contradictory policies.

    Raises:
        InvalidInput: naming the field.
    """
    _check_unique([p.id for p in policy_set.policies], "/policies/{}/id")
    check_examples(policy_set, policy_set.examples)


def check_examples(pack: Pack, examples: Sequence[Example]) -> None:
    """Refuse examples that do not fit the pack's definitions, or that share an id.

    Raises:
        InvalidInput: with a pointer such as ``/examples/3/entities/0/label``.
    """
    _check_unique([e.id for e in examples], "/examples/{}/id")
    # Collected once: a pack has as many definitions as examples.
    declared = frozenset(pack.labels if isinstance(pack, Domain) else (p.id for p in pack.policies))
    for number, example in enumerate(examples):
        try:
            if isinstance(pack, Domain) and isinstance(example, TaggedExample):
                check_mentions(example.text, example.entities, declared)
            elif isinstance(pack, PolicySet) and isinstance(example, JudgedExample):
                _check_judgement(example, declared)
            else:
                raise InvalidInput(
                    f"a {type(pack).__name__} takes other examples than {type(example).__name__}"
                )
        except InvalidInput as error:
            raise error.under(f"/examples/{number}") from None


def _check_judgement(example: JudgedExample, known: frozenset[str]) -> None:
    complies = () if example.complies == "all" else example.complies
    for field, ids in (("violates", example.violates), ("complies", complies)):
        _check_unique(ids, f"/{field}/{{}}")
        for number, policy in enumerate(ids):
            if policy not in known:
                raise InvalidInput(
                    f"policy {policy!r} is not declared in this policy set; "
                    f"declare it under policies or correct the id",
                    pointer=f"/{field}/{number}",
                )
    both = sorted(set(example.violates) & set(complies))
    if both or (example.violates and example.complies == "all"):
        raise InvalidInput(
            f"a text cannot both violate and comply with {both or 'all'}; keep one of the two",
            pointer="/complies",
        )


def _check_unique(names: Iterable[str], pointer: str) -> None:
    first: dict[str, int] = {}
    for number, name in enumerate(names):
        if name in first:
            raise InvalidInput(
                f"expected unique names, was: {name!r} at {first[name]} and at {number}; "
                f"rename or remove one",
                pointer=pointer.format(number),
            )
        first[name] = number


def check_pack(pack: Pack) -> None:
    """Refuse a pack that breaks a rule, whichever kind it is.

    Raises:
        InvalidInput: naming the field.
    """
    if isinstance(pack, Domain):
        check_domain(pack)
    else:
        check_policy_set(pack)
