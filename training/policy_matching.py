"""Which policy: whether those that a hateful text breaches are found, and come first.

The truth of a text is the union of the policies of its hateful rows. Knows no model.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from training.bootstrap import Interval
from training.moderation_intervals import share_interval
from training.moderation_results import Prediction
from training.moderation_rows import ModerationRow

_SHORTLISTS = (3, 5, 10)


@dataclass(frozen=True, slots=True)
class ShortlistRecall:
    """The share of a text's policies among the first `policies` that the retriever names."""

    policies: int
    recall: Interval | None


@dataclass(frozen=True, slots=True)
class Matching:
    """How well policies are matched, over so many hateful texts.

    `top…`: one of the text's policies is among the first so many judged. `f1`, `precision` and
    `recall` compare the policies whose score reaches the threshold, micro-averaged; None where
    there are none.
    """

    texts: int
    top1: Interval | None
    top3: Interval | None
    top5: Interval | None
    f1: Interval | None
    precision: float | None
    recall: float | None
    shortlists: tuple[ShortlistRecall, ...]


@dataclass(frozen=True, slots=True)
class _Matched:
    """One hateful text: its policies, and what was said."""

    key: str
    gold: frozenset[str]
    said: Prediction

    def is_among(self, first: int) -> float:
        return float(any(p.policy in self.gold for p in self.said.judged[:first]))

    def found(self, threshold: float) -> set[str]:
        return {p.policy for p in self.said.judged if p.score >= threshold}

    def recalled(self, first: int) -> float:
        return len(self.gold & set(self.said.order[:first])) / len(self.gold)


def score_matching(
    rows: Sequence[ModerationRow],
    predictions: Sequence[Prediction],
    *,
    threshold: float,
    clean: bool,
) -> Matching:
    """Compare the policies of hateful texts, of all or of the clean ones."""
    matched = _join([row for row in rows if row.clean or not clean], predictions)
    right = [len(m.gold & m.found(threshold)) for m in matched]
    found = [len(m.found(threshold)) for m in matched]
    gold = [len(m.gold) for m in matched]
    return Matching(
        texts=len(matched),
        top1=_mean(matched, [m.is_among(1) for m in matched]),
        top3=_mean(matched, [m.is_among(3) for m in matched]),
        top5=_mean(matched, [m.is_among(5) for m in matched]),
        f1=share_interval(
            [m.key for m in matched],
            part=[2 * r for r in right],
            whole=[f + g for f, g in zip(found, gold, strict=True)],
        ),
        precision=sum(right) / sum(found) if sum(found) else None,
        recall=sum(right) / sum(gold) if sum(gold) else None,
        shortlists=tuple(
            ShortlistRecall(first, _mean(matched, [m.recalled(first) for m in matched]))
            for first in _SHORTLISTS
        ),
    )


def _join(rows: Sequence[ModerationRow], predictions: Sequence[Prediction]) -> list[_Matched]:
    """Return each hateful text once, by its key, as the first of its rows was judged."""
    said = {row: prediction for prediction in predictions for row in prediction.rows}
    texts: defaultdict[str, list[ModerationRow]] = defaultdict(list)
    for row in rows:
        if row.hateful:
            texts[row.key].append(row)
    return [
        _Matched(key, frozenset(row.policy for row in same), said[same[0].number])
        for key, same in texts.items()
    ]


def _mean(matched: Sequence[_Matched], values: Sequence[float]) -> Interval | None:
    return share_interval([m.key for m in matched], part=values, whole=[1] * len(values))
