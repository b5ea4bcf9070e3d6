"""From a model's entities and the votes of tagged words to one set of entities.

Every entity that the model named, every other label for its words, and every stretch that the votes
find likely is a candidate; a logistic function of what model and votes say of it is its score. So
entities may be dropped, relabelled and added. Both are better than either by some points and take
twenty times as long as votes (measured on CrossNER's dev sentences: training/LOG.md), so an
operator may let votes answer alone where the examples show every type. Knows no engine and no
index.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from wraner.entities import Entity, Mention
from wraner.tagging import flat, likely, longest_words, span_odds
from wraner.word_votes import WordVotes

_LEAST_ODDS = 0.02  # votes alone propose nothing less likely
_NEAR_CERTAIN = 1e-4  # probabilities count as at least this far from 0 and 1

FEATURES = ("named", "model", "relabelled", "crossed", "votes", "bias")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A mention that could be an entity, with what speaks for it.

    `features` are, in the order of `FEATURES`: 1 where the model named it, the log-odds of the
    model's score then, 1 where it gave these words another label, 1 where it named other words that
    overlap them, the log-odds of the votes, and 1.
    """

    mention: Mention
    features: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class EntityFusion:
    """Weights of a logistic score, in the order of `FEATURES`.

    Candidates that score less than `threshold` are no entities. Packs of fewer than
    `least_examples` examples have too few words to vote: there the model's entities stay. Where
    `enough_mentions` is given and every label has at least as many, votes settle it alone.
    """

    weights: tuple[float, ...]
    threshold: float
    least_examples: int = 5
    enough_mentions: int | None = None

    def __post_init__(self) -> None:
        if len(self.weights) != len(FEATURES):
            raise ValueError(
                f"expected a weight for each of {', '.join(FEATURES)}, was: {self.weights}"
            )

    def settles(self, votes: WordVotes, labels: Collection[str]) -> bool:
        """Return whether votes answer for all these labels without a model."""
        if self.enough_mentions is None:
            return False
        counted = dict(zip(votes.labels, votes.mentions, strict=True))
        often = all(counted.get(name, 0) >= self.enough_mentions for name in labels)
        return votes.examples >= self.least_examples and often

    def score(self, candidate: Candidate) -> float:
        """Return how likely the candidate is right, 0..1."""
        total = sum(w * f for w, f in zip(self.weights, candidate.features, strict=True))
        return 1 / (1 + math.exp(-total))

    def fuse(self, text: str, found: Sequence[Entity], votes: WordVotes) -> tuple[Entity, ...]:
        """Return the likeliest entities, flat and in order; scores are the fused ones.

        An entity whose label no example has keeps its score, as nothing could vote for it.
        """
        if votes.examples < self.least_examples:
            return tuple(found)
        scored = [
            Entity(m.start, m.end, text[m.start : m.end], m.label, self.score(c))
            for c in candidates(text, found, votes)
            for m in (c.mention,)
        ]
        kept = [e for e in scored if e.score >= self.threshold]
        return flat([*kept, *(e for e in found if e.label not in votes.labels)])


SHIPPED = EntityFusion((1.39, 0.32, -0.57, -0.77, 0.28, -1.36), threshold=0.2)
"""For the adapter and the word encoder that ship; fitted by `training.ner_fusion` on packs of ten
examples, in which types are missing (see training/LOG.md)."""

FAST = replace(SHIPPED, enough_mentions=2)
"""The same where speed goes before F1."""

VOTES_ALONE = replace(FAST, least_examples=0, enough_mentions=0)
"""Never asks the model: what votes find by themselves, measured."""


def candidates(text: str, found: Sequence[Entity], votes: WordVotes) -> list[Candidate]:
    """Return what could be an entity in a text, in order.

    `found` are the model's entities, which must begin and end with words; those whose label no
    example has are left out.
    """
    place = {word.start: i for i, word in enumerate(votes.words)}
    reach = {word.end: i for i, word in enumerate(votes.words)}
    sizes = [reach[e.end] - place[e.start] + 1 for e in found]
    odds = span_odds(votes, longest=max([longest_words(text, votes.words), *sizes]))
    likelihood = dict(likely(votes, odds, _LEAST_ODDS))
    for e, size in zip(found, sizes, strict=True):
        for number, label in enumerate(votes.labels):
            share = float(odds[size - 1, place[e.start], number])
            likelihood.setdefault(Mention(e.start, e.end, label), share)
    return [Candidate(m, _features(m, found, likelihood[m])) for m in sorted(likelihood)]


def _features(mention: Mention, found: Sequence[Entity], share: float) -> tuple[float, ...]:
    crossing = [e for e in found if e.start < mention.end and mention.start < e.end]
    same = [e for e in crossing if (e.start, e.end) == (mention.start, mention.end)]
    named = [e for e in same if e.label == mention.label]
    return (
        float(bool(named)),
        _log_odds(named[0].score) if named else 0.0,
        float(bool(same) and not named),
        float(bool(crossing) and not same),
        _log_odds(share),
        1.0,
    )


def _log_odds(share: float) -> float:
    share = min(max(share, _NEAR_CERTAIN), 1 - _NEAR_CERTAIN)
    return math.log(share / (1 - share))
