"""Policy changes: what differs between two policy sets, policy by policy and field by field.

Policies are told apart by their ids, examples by theirs. The order in which either came is no
change. Knows no verdict, no store and no files.
"""

from collections.abc import Iterable, Mapping

from pydantic import BaseModel, ConfigDict

from wraner.packs import JudgedExample, Policy, PolicySet

FIELDS = tuple(name for name in Policy.model_fields if name != "id")

Value = str | int | float | tuple[str, ...] | None


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class FieldChange(_Frozen):
    """A field with its values before and after."""

    field: str
    old: Value
    new: Value


class ExampleChanges(_Frozen):
    """Ids of examples, in their written order; a changed one has its id in both sets."""

    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.added or self.removed or self.changed)


class PolicyChange(_Frozen):
    """A policy of both sets whose fields differ, or the examples that name it.

    An example that complies with ``"all"`` names no policy.
    """

    id: str
    title: str
    fields: tuple[FieldChange, ...]
    examples: ExampleChanges


class PolicySetChanges(_Frozen):
    """What `new` has otherwise than `old`; `examples` counts each example of the sets once.

    `reordered` says that policies of both stand in another order, in which a model reads them where
    it is asked about the whole set.
    """

    description: FieldChange | None
    added: tuple[Policy, ...]
    removed: tuple[Policy, ...]
    changed: tuple[PolicyChange, ...]
    examples: ExampleChanges
    reordered: bool

    def __bool__(self) -> bool:
        """Whether anything differs."""
        came_or_went = self.added or self.removed
        return bool(
            self.description or came_or_went or self.changed or self.examples or self.reordered
        )


def compare(old: PolicySet, new: PolicySet) -> PolicySetChanges:
    """Return what differs."""
    before, after = {p.id: p for p in old.policies}, {p.id: p for p in new.policies}
    naming_before, naming_after = _naming(old.examples), _naming(new.examples)
    changed = []
    for policy in new.policies:
        if policy.id in before:
            fields = _fields(before[policy.id], policy)
            judged = _judged(naming_before.get(policy.id, {}), naming_after.get(policy.id, {}))
            if fields or judged:
                changed.append(
                    PolicyChange(id=policy.id, title=policy.title, fields=fields, examples=judged)
                )
    return PolicySetChanges(
        description=_field("description", old.description, new.description),
        added=tuple(p for p in new.policies if p.id not in before),
        removed=tuple(p for p in old.policies if p.id not in after),
        changed=tuple(changed),
        examples=_judged({e.id: e for e in old.examples}, {e.id: e for e in new.examples}),
        reordered=[p for p in before if p in after] != [p for p in after if p in before],
    )


def _fields(old: Policy, new: Policy) -> tuple[FieldChange, ...]:
    changes = (_field(name, getattr(old, name), getattr(new, name)) for name in FIELDS)
    return tuple(change for change in changes if change is not None)


def _field(name: str, old: Value, new: Value) -> FieldChange | None:
    return None if old == new else FieldChange(field=name, old=old, new=new)


def _naming(examples: Iterable[JudgedExample]) -> dict[str, dict[str, object]]:
    """Return a policy's examples by id, as it sees them: the text, and which way it is judged."""
    found: dict[str, dict[str, object]] = {}
    for example in examples:
        complies = () if example.complies == "all" else example.complies
        for breached, ids in ((True, example.violates), (False, complies)):
            for policy in ids:
                found.setdefault(policy, {})[example.id] = (example.text, breached)
    return found


def _judged(old: Mapping[str, object], new: Mapping[str, object]) -> ExampleChanges:
    return ExampleChanges(
        added=tuple(i for i in new if i not in old),
        removed=tuple(i for i in old if i not in new),
        changed=tuple(i for i in new if i in old and old[i] != new[i]),
    )
