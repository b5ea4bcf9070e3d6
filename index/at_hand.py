"""Generations at hand: which of them a pack shares most with. Knows no folder."""

from collections.abc import Iterable

from index.encoders import kind_of
from index.generations import Generation, definition_entries
from wraner.packs import Pack, PolicySet, example_hash


def most_similar(pack: Pack, generations: Iterable[Generation]) -> Generation | None:
    """Return the generation of the pack's kind that shares most with it, the first of equals.

    What is shared are examples and definitions of the same id and content; None: nothing is. Built
    on it, segments that are searched by candidates may find others than those of a fresh build.
    """
    digests = {example.id: example_hash(example) for example in pack.examples}
    entries = definition_entries(pack) if isinstance(pack, PolicySet) else []
    defined = {entry.id: entry.digest for entry in entries}

    def shared(generation: Generation) -> int:
        own, parts = generation.definitions, generation.parts
        alike = sum(p.live[row] for p in parts for row in p.segment.find(digests).values())
        return int(alike) + (len(own.find(defined)) if own else 0)

    counts = [(shared(each), each) for each in generations if each.kind == kind_of(pack)]
    most, found = max(counts, key=lambda counted: counted[0], default=(0, None))
    return found if most else None
