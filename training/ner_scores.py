"""Scores of found entities: strict span micro-F1, and an anatomy of what went wrong.

Pure functions from results. A mention is right where start, end and label all are. Knows no model,
no interval and no report.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from training.ner_results import DomainResult, SentenceResult
from wraner.entities import Mention
from wraner.metrics import SpanCounts, count_spans


@dataclass(frozen=True, slots=True)
class Column:
    """What is counted.

    Without `leftover`, gold and found mentions of the leftover types (misc) are both left out.
    Without `repeats`, so are sentences whose text stands elsewhere in the data too.
    """

    leftover: bool = True
    repeats: bool = True


ALL = Column()
NO_LEFTOVER = Column(leftover=False)
NO_REPEATS = Column(repeats=False)
NEITHER = Column(leftover=False, repeats=False)


@dataclass(frozen=True, slots=True)
class Compared:
    """One sentence's gold and found mentions."""

    gold: frozenset[Mention]
    found: frozenset[Mention]

    @property
    def counts(self) -> SpanCounts:
        """The sentence's counts."""
        return count_spans([self.gold], [self.found])


@dataclass(frozen=True, slots=True)
class TypeScore:
    """One type's counts over a domain."""

    type: str
    counts: SpanCounts


@dataclass(frozen=True, slots=True)
class ContentErrors:
    """Every gold and every found mention in exactly one place.

    Right ones aside, a gold and a found mention are paired at most once: on the same span
    (`wrong_label`), overlapping under the same label (`wrong_border`), overlapping under another
    (`both_wrong`); what has no pair is `missed` or `spurious`.
    """

    right: int
    wrong_label: int
    wrong_border: int
    both_wrong: int
    missed: int
    spurious: int


ErrorKind = Literal["wrong_label", "wrong_border", "both_wrong", "missed", "spurious"]
"""The fields of `ContentErrors` that count what is wrong."""


@dataclass(frozen=True, slots=True)
class ContentError:
    """What is wrong in one place: the gold mention, None if spurious, and the found one."""

    kind: ErrorKind
    gold: Mention | None
    found: Mention | None


@dataclass(frozen=True, slots=True)
class AnswerErrors:
    """What was wrong with answers rather than with what they say.

    `dropped` counts lines that named nothing in the text, `truncated` sentences whose answer was
    cut. `ungrounded` (text differs from its place), `undeclared` and `overlapping` count entities.
    These three are 0 by construction; they are recounted here, and anything else is a fault of the
    pipeline.
    """

    dropped: int
    truncated: int
    ungrounded: int
    undeclared: int
    overlapping: int

    @property
    def impossible(self) -> int:
        """How many entities break what the pipeline guarantees."""
        return self.ungrounded + self.undeclared + self.overlapping


@dataclass(frozen=True, slots=True)
class RetrievalScore:
    """How well the retrieved examples fit, over sentences that have a gold entity.

    `fitting` is the share of retrieved examples that carry a type present in the sentence,
    `covered` the share of a sentence's types that one of its examples carries, `examples` how many
    stood in a prompt. All are 0 where no sentence has a gold entity.
    """

    fitting: float
    covered: float
    examples: float


def compare(result: DomainResult, column: Column) -> tuple[Compared, ...]:
    """Return the mentions to compare, one pair of sets for each sentence that is counted."""
    ignored = () if column.leftover else result.leftover
    return tuple(
        Compared(_kept(s.gold, ignored), _kept(found_mentions(s), ignored))
        for s in result.sentences
        if column.repeats or not s.also_in
    )


def found_mentions(sentence: SentenceResult) -> tuple[Mention, ...]:
    """Return what was found in a sentence in the form of gold entities."""
    return tuple(Mention(e.start, e.end, e.label) for e in sentence.found)


def _kept(mentions: Iterable[Mention], ignored: Collection[str]) -> frozenset[Mention]:
    return frozenset(m for m in mentions if m.label not in ignored)


def count(result: DomainResult, column: Column) -> tuple[SpanCounts, ...]:
    """Return the counts of each sentence that is counted."""
    return tuple(c.counts for c in compare(result, column))


def total(counts: Sequence[SpanCounts]) -> SpanCounts:
    """Return the sum of counts; its F1 is micro-averaged."""
    return SpanCounts(
        right=sum(c.right for c in counts),
        found=sum(c.found for c in counts),
        gold=sum(c.gold for c in counts),
    )


def score_types(compared: Sequence[Compared], types: Iterable[str]) -> tuple[TypeScore, ...]:
    """Return every type's counts, most gold mentions first."""
    scores = [
        TypeScore(
            name,
            count_spans(
                [[m for m in c.gold if m.label == name] for c in compared],
                [[m for m in c.found if m.label == name] for c in compared],
            ),
        )
        for name in types
    ]
    return tuple(sorted(scores, key=lambda s: (-s.counts.gold, s.type)))


def find_content_errors(compared: Iterable[Compared]) -> ContentErrors:
    """Put every mention in its place, see `ContentErrors`."""
    kinds: Counter[str] = Counter()
    for one in compared:
        kinds["right"] += len(one.gold & one.found)
        kinds.update(error.kind for error in list_content_errors(one))
    fields = ContentErrors.__dataclass_fields__
    return ContentErrors(**{name: kinds[name] for name in fields})


def list_content_errors(one: Compared) -> list[ContentError]:
    """Return what is wrong in a sentence, every mention but the right ones in exactly one error."""
    gold, found = one.gold - one.found, one.found - one.gold
    pairs = sorted(
        (_order(g, f), g, f) for g in gold for f in found if g.start < f.end and f.start < g.end
    )
    errors: list[ContentError] = []
    paired: set[Mention] = set()
    for _, g, f in pairs:
        if g not in paired and f not in paired:
            paired |= {g, f}
            errors.append(ContentError(_kind(g, f), g, f))
    errors += [ContentError("missed", g, None) for g in gold - paired]
    errors += [ContentError("spurious", None, f) for f in found - paired]
    return errors


def _kind(gold: Mention, found: Mention) -> ErrorKind:
    if (gold.start, gold.end) == (found.start, found.end):
        return "wrong_label"
    return "wrong_border" if gold.label == found.label else "both_wrong"


def _order(gold: Mention, found: Mention) -> tuple[int, int]:
    """Return what makes a likelier pair smaller: its kind, then how much of it overlaps."""
    kinds = ("wrong_label", "wrong_border", "both_wrong")
    overlap = min(gold.end, found.end) - max(gold.start, found.start)
    return kinds.index(_kind(gold, found)), -overlap


def find_answer_errors(result: DomainResult) -> AnswerErrors:
    """Count what was wrong with the answers, and check every entity against its text."""
    entities = [(s, e) for s in result.sentences for e in s.found]
    return AnswerErrors(
        dropped=sum(s.dropped for s in result.sentences),
        truncated=sum(s.truncated for s in result.sentences),
        ungrounded=sum(
            not 0 <= e.start < e.end or s.text[e.start : e.end] != e.text for s, e in entities
        ),
        undeclared=sum(e.label not in result.types for _, e in entities),
        overlapping=sum(map(_overlaps, result.sentences)),
    )


def _overlaps(sentence: SentenceResult) -> int:
    in_order = sorted(sentence.found)
    return sum(right.start < left.end for left, right in pairwise(in_order))


def score_retrieval(result: DomainResult) -> RetrievalScore:
    """Compare the types of retrieved examples with those of the sentence."""
    asked = [(s, {m.label for m in s.gold}) for s in result.sentences if s.gold]
    shown = [not types.isdisjoint(n.labels) for s, types in asked for n in s.neighbours]
    covered = [
        any(name in n.labels for n in s.neighbours) for s, types in asked for name in sorted(types)
    ]
    return RetrievalScore(
        fitting=sum(shown) / len(shown) if shown else 0.0,
        covered=sum(covered) / len(covered) if covered else 0.0,
        examples=len(shown) / len(asked) if asked else 0.0,
    )
