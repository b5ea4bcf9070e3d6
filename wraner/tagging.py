"""Tagging: from word votes to how likely each stretch of a text is an entity of each label.

A chain over the words' tags (outside, beginning, inside), as in a hidden Markov model whose
evidence comes from neighbours: votes say how likely each tag is for its word, the examples' habits
how tags follow each other. Forward and backward sums give each stretch's exact probability. Knows
no index and no language model.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from wraner.chunks import is_unspaced
from wraner.entities import Entity, Mention, Span, apart
from wraner.word_votes import OUTSIDE, Shares, WordVotes, begins, insides

LONGEST_WORDS = 12
"""Longer entities are not proposed; 19 of 16,478 in CrossNER (train and dev) are longer."""

_LONGEST_UNSPACED = 40  # where most words are single characters: a long name, written in full

_FLOOR = 1e-4  # no word's tag is impossible because no neighbour has it

Odds = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class _Chain:
    """Sums over all ways to tag the words, scaled word by word.

    *Shape:* ``forward`` and ``backward`` (n_words, n_tags), whose product is each tag's
    probability; ``inside`` (n_words, n_labels) the scaled evidence that an entity goes on;
    ``onward`` (2,) how readily one goes on after its first and after a later word.
    """

    forward: Shares
    backward: Shares
    inside: Shares
    onward: Shares


def longest_words(text: str, words: Sequence[Span]) -> int:
    """Return of how many words the longest entity is that is proposed in this text."""
    unspaced = sum(is_unspaced(text[word.start : word.end]) for word in words)
    return LONGEST_WORDS if 2 * unspaced <= len(words) else _LONGEST_UNSPACED


def span_odds(votes: WordVotes, *, longest: int = LONGEST_WORDS) -> Odds:
    """Return each stretch's probability to be an entity of each label.

    *Shape:* (longest, n_words, n_labels); ``[n - 1, i, l]`` is that of the `n` words from word `i`
    on being exactly one entity with label `l`.
    """
    words, labels = len(votes.words), len(votes.labels)
    odds = np.zeros((longest, words, labels))
    if not words or not labels:
        return odds
    chain = _chain(votes)
    first, later = begins(labels), insides(labels)
    going_on = np.zeros((words + 1, labels))
    going_on[1:words] = (chain.inside * chain.backward[:, later])[1:]
    begun = chain.forward[:, first]
    odds[0] = begun * (chain.backward[:, first] - chain.onward[0] * going_on[1:])
    ends = chain.backward[:, later] - chain.onward[1] * going_on[1:]
    for more in range(1, min(longest, words)):
        begun = begun[:-1] * chain.onward[min(more, 2) - 1] * chain.inside[more:]
        odds[more, : words - more] = begun * ends[more:]
    return np.clip(odds, 0.0, 1.0)


def _chain(votes: WordVotes) -> _Chain:
    labels = len(votes.labels)
    kinds = np.array([0] + [1] * labels + [2] * labels)
    evidence = (votes.shares + _FLOOR) / votes.habits.prior[kinds]
    follows = votes.habits.following
    first, later = begins(labels), insides(labels)

    def going_on(state: Shares) -> Shares:
        """Return how likely each tag follows; what goes on keeps its label."""
        sums = np.array([state[OUTSIDE], state[first].sum(), state[later].sum()])
        after: Shares = (sums @ follows)[kinds]
        after[later] = follows[1, 2] * state[first] + follows[2, 2] * state[later]
        return after

    def come_from(state: Shares) -> Shares:
        """Return the same backwards: each tag's sum over those that may follow it."""
        before: Shares = (follows[:, :2] @ np.array([state[OUTSIDE], state[first].sum()]))[kinds]
        before[first] += follows[1, 2] * state[later]
        before[later] += follows[2, 2] * state[later]
        return before

    forward, backward = np.zeros_like(evidence), np.zeros_like(evidence)
    scales = np.zeros(len(evidence))
    start = np.zeros(1 + 2 * labels)
    start[OUTSIDE] = 1.0
    before = going_on(start)
    for i, seen in enumerate(evidence):
        forward[i] = before * seen
        scales[i] = forward[i].sum()
        forward[i] /= scales[i]
        before = going_on(forward[i])
    backward[-1] = follows[kinds, OUTSIDE] / before[OUTSIDE]
    for i in range(len(evidence) - 1, 0, -1):
        backward[i - 1] = come_from(evidence[i] * backward[i]) / scales[i]
    inside = evidence[:, later] / scales[:, None]
    return _Chain(forward, backward, inside, votes.habits.following[1:, 2])


def likely(votes: WordVotes, odds: Odds, least: float) -> list[tuple[Mention, float]]:
    """Return the stretches whose probability is at least `least`, with it."""
    found = zip(*np.nonzero(odds >= least), strict=True)
    return [
        (
            Mention(votes.words[i].start, votes.words[i + more].end, votes.labels[label]),
            float(odds[more, i, label]),
        )
        for more, i, label in found
    ]


def tag(text: str, votes: WordVotes, *, threshold: float = 0.4) -> tuple[Entity, ...]:
    """Return what the votes alone find in the text; scores are probabilities."""
    odds = span_odds(votes, longest=longest_words(text, votes.words))
    found = likely(votes, odds, threshold)
    return flat([Entity(m.start, m.end, text[m.start : m.end], m.label, p) for m, p in found])


def flat(entities: Sequence[Entity]) -> tuple[Entity, ...]:
    """Return the entities in order; where two overlap, the likelier, then the longer stays."""
    ranked = sorted(entities, key=lambda e: (-e.score, e.start - e.end, e.start, e.label))
    return apart(replace(e, score=min(1.0, e.score)) for e in ranked)
