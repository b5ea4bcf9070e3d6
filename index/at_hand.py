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
    defined = definition_entries(pack) if isinstance(pack, PolicySet) else []

    def shared(generation: Generation) -> int:
        own = generation.definitions
        count = len(own.kept(defined)) if own else 0
        for part in generation.parts:
            found = ((part.segment.rows.get(id_), digest) for id_, digest in digests.items())
            count += sum(
                row is not None and part.live[row] and part.segment.entries[row].digest == digest
                for row, digest in found
            )
        return count

    counts = [(shared(each), each) for each in generations if each.kind == kind_of(pack)]
    most, found = max(counts, key=lambda counted: counted[0], default=(0, None))
    return found if most else None
