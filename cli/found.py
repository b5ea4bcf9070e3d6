"""Found: tagged texts and what was found in them, compared and counted.

An entity is right where start, end and label all are. Knows no server and no terminal.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.bootstrap import Interval, affordable, mean_interval
from training.ner_scores import (
    Compared,
    ContentErrors,
    TypeScore,
    find_content_errors,
    score_types,
    total,
)
from wraner.client.replies import Extraction
from wraner.entities import Mention
from wraner.metrics import SpanCounts
from wraner.packs import TaggedExample


@dataclass(frozen=True, slots=True)
class Found:
    """A tagged text, by its line, and what was found in it."""

    line: int
    example: TaggedExample
    extraction: Extraction

    @property
    def compared(self) -> Compared:
        """Its tagged and its found entities."""
        found = (Mention(e.start, e.end, e.label) for e in self.extraction.entities)
        return Compared(frozenset(self.example.entities), frozenset(found))

    @property
    def right(self) -> bool:
        """Whether all that is tagged was found, and nothing else."""
        return self.compared.gold == self.compared.found

    def record(self) -> dict[str, Any]:
        """Return it for a line of JSON."""
        tagged = self.example.model_dump(mode="json", exclude={"id"})
        entities = [e.model_dump(exclude={"text"}) for e in self.extraction.entities]
        return {"line": self.line, **tagged, "found": entities, "right": self.right}


@dataclass(frozen=True, slots=True)
class Figures:
    """What an extraction is worth; F1 is None where nothing is tagged and nothing found.

    `right` counts texts without an error; `types` are those that are tagged or found somewhere.
    """

    texts: int
    right: int
    counts: SpanCounts
    f1: Interval | None
    types: tuple[TypeScore, ...]
    errors: ContentErrors


def figures_of(found: Sequence[Found]) -> Figures:
    """Count what was found."""
    compared = [one.compared for one in found]
    counts = [one.counts for one in compared]
    types = {mention.label for one in compared for mention in one.gold | one.found}
    return Figures(
        texts=len(found),
        right=sum(one.gold == one.found for one in compared),
        counts=total(counts),
        f1=_f1(counts),
        types=score_types(compared, types),
        errors=find_content_errors(compared),
    )


def _f1(counts: Sequence[SpanCounts]) -> Interval | None:
    # A text where nothing is tagged and nothing found adds nothing; of such alone, as draws of few
    # texts would be at times, there is no F1.
    adding = [one for one in counts if one.gold or one.found]
    return mean_interval([adding], affordable(len(adding))) if adding else None
