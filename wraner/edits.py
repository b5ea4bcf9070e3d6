"""Edits of packs: a pack and a change make a new pack. Knows no store, no index, no HTTP."""

from collections.abc import Sequence

from wraner.errors import Conflict, NotFound
from wraner.packs import Example, Pack, TaggedExample, check_examples, example_hash


def with_examples(pack: Pack, examples: Sequence[Example]) -> Pack:
    """Return the pack with more examples; those that it holds already change nothing.

    Raises:
        InvalidInput: an example does not fit the pack's definitions.
        Conflict: an id is taken by an example with other content.
    """
    check_examples(pack, examples)
    held = {e.id: e for e in pack.examples}
    fresh = []
    for example in examples:
        stored = held.get(example.id)
        if stored is None:
            fresh.append(example)
        elif not _are_same(stored, example):
            raise Conflict(
                f"example {example.id!r} is stored with other content; "
                f"delete it first or send yours under another id"
            )
    return pack.model_copy(update={"examples": (*pack.examples, *fresh)}) if fresh else pack


def _are_same(one: Example, other: Example) -> bool:
    """Return whether two say the same; in which order entities are named says nothing."""
    if isinstance(one, TaggedExample) and isinstance(other, TaggedExample):
        return one.text == other.text and _in_order(one) == _in_order(other)
    return example_hash(one) == example_hash(other)


def _in_order(example: TaggedExample) -> list[tuple[int, int, str]]:
    return sorted((m.start, m.end, m.label) for m in example.entities)


def without_example(pack: Pack, example_id: str) -> Pack:
    """Return the pack without one example.

    Raises:
        NotFound: no example has this id.
    """
    rest = tuple(e for e in pack.examples if e.id != example_id)
    if len(rest) == len(pack.examples):
        raise NotFound(f"there is no example {example_id!r} in this pack")
    return pack.model_copy(update={"examples": rest})


def changed_examples(old: Pack | None, new: Pack) -> int:
    """Count the examples of `new` that `old` does not hold with the same id and content."""
    held = {(e.id, example_hash(e)) for e in old.examples} if old else set()
    return sum((e.id, example_hash(e)) not in held for e in new.examples)
