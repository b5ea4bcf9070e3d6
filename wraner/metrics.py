"""What answers are worth: exact spans for extraction, failure rates for moderation.

Definitions follow CrossNER (strict span micro-F1) and HateModerate (failure rates, section 5).
Knows no pipeline.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from wraner.entities import Mention


@dataclass(frozen=True, slots=True)
class SpanCounts:
    """Counts over texts; a mention is right where start, end and label all are."""

    right: int
    found: int
    gold: int

    @property
    def precision(self) -> float:
        """Share of the found mentions that are right; 0 where none was found."""
        return self.right / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold mentions that were found; 0 where there is none."""
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, micro-averaged over mentions."""
        both = self.found + self.gold
        return 2 * self.right / both if both else 0.0


def count_spans(
    gold: Sequence[Collection[Mention]], found: Sequence[Collection[Mention]]
) -> SpanCounts:
    """Compare the mentions of each text; both sequences run over the same texts."""
    pairs = list(zip(gold, found, strict=True))
    return SpanCounts(
        right=sum(len(set(g) & set(f)) for g, f in pairs),
        found=sum(len(set(f)) for _, f in pairs),
        gold=sum(len(set(g)) for g, _ in pairs),
    )


@dataclass(frozen=True, slots=True)
class FailureRates:
    """Share of hateful rows let pass, of other rows flagged, and of all rows decided wrongly."""

    hateful: float
    other: float
    overall: float


def failure_rates(hateful: Sequence[bool], flagged: Sequence[bool]) -> FailureRates:
    """Compare verdicts with the truth, over rows.

    Raises:
        ValueError: one of the two classes has no row.
    """
    pairs = list(zip(hateful, flagged, strict=True))
    missed = [not f for h, f in pairs if h]
    alarmed = [f for h, f in pairs if not h]
    if not missed or not alarmed:
        raise ValueError(
            f"expected rows of both classes, was: {len(missed)} hateful and {len(alarmed)} others"
        )
    return FailureRates(
        sum(missed) / len(missed),
        sum(alarmed) / len(alarmed),
        (sum(missed) + sum(alarmed)) / len(pairs),
    )


def auroc(positive: Sequence[bool], scores: Sequence[float]) -> float:
    """Return the chance that a positive row scores above a negative one; ties count half.

    Raises:
        ValueError: one of the two classes has no row.
    """
    ranked = sorted(zip(scores, positive, strict=True))
    positives = sum(positive)
    negatives = len(ranked) - positives
    if not positives or not negatives:
        raise ValueError(
            f"expected rows of both classes, was: {positives} positive and {negatives} negative"
        )
    below = wins = at = 0
    while at < len(ranked):
        end = at
        while end < len(ranked) and ranked[end][0] == ranked[at][0]:
            end += 1
        tied = sum(is_positive for _, is_positive in ranked[at:end])
        others = end - at - tied
        wins += tied * (2 * below + others)
        below += others
        at = end
    return wins / (2 * positives * negatives)
