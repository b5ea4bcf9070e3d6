"""Edits of packs: a pack and a change make a new pack. Knows no store, no index, no HTTP."""

from collections.abc import Sequence

from wraner.errors import Conflict, NotFound
from wraner.packs import Example, Pack, check_examples, example_hash, in_order


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
        elif said_by(stored) != said_by(example):
            raise Conflict(
                f"example {example.id!r} is stored with other content; "
                f"delete it first or send yours under another id"
            )
    return pack.model_copy(update={"examples": (*pack.examples, *fresh)}) if fresh else pack


def said_by(example: Example) -> str:
    """Return a hash of what an example says; in which order it names things says nothing."""
    return example_hash(in_order(example))


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
    held = {(e.id, said_by(e)) for e in old.examples} if old else set()
    return sum((e.id, said_by(e)) not in held for e in new.examples)
