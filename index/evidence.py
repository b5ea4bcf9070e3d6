"""What a generation of a policy set knows of one text: per policy, the nearest on either side.

How near an example lies is said by the vectors of whole texts, where the encoder has them, else by
those of their words, of which a segment with a FAISS index compares its candidates alone. Knows no
language model, and decides nothing.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from index.encoder import Floats, WordVectors
from index.evidence_words import matched, moved, spans
from index.generations import Generation, Part
from index.likeness import Flags, Likeness
from index.search import Scores, score
from index.segments import Entry, Segment
from index.settings import IndexSettings
from index.similarity import Doubles, Ints, Words, from_grid, words_that_count
from index.wordings import Nearness
from wraner.fusion import KIN
from wraner.packs import JudgedExample
from wraner.precedents import words_of
from wraner.retrieval import Evidence, JudgedNeighbour, PolicyEvidence

_UNTOLD = Nearness(wording=0.0, case=0.0, kin=1.0)


@dataclass(frozen=True)
class Judgements:
    """Every live example of a policy set and who violates what, in ascending order of ids.

    *Shape:* ``violates`` and ``complies`` (n_policies, n_examples); ``sources`` (n_examples, 2)
    the part and the row that hold an example; ``words`` (n_examples,) hashes of the texts' words,
    case and marks aside.
    """

    entries: tuple[Entry, ...]
    sources: Ints
    words: Ints
    violates: Flags
    complies: Flags

    @cached_property
    def breach(self) -> Flags:
        """Which examples violate any policy. *Shape:* (n_examples,)."""
        return np.asarray(self.violates.any(axis=0))

    @cached_property
    def clean(self) -> Flags:
        """Which comply with some policy and violate none. *Shape:* (n_examples,)."""
        return np.asarray(self.complies.any(axis=0) & ~self.breach)

    def numbers(self, ids: Collection[str]) -> list[int]:
        """Return the numbers of the examples that have one of these ids."""
        return [n for n, entry in enumerate(self.entries if ids else ()) if entry.id in ids]


def judgements_of(generation: Generation) -> Judgements:
    """Read every example's judgements once, for all later texts."""
    places = [
        (part.segment.entries[row], number, row)
        for number, part in enumerate(generation.parts)
        for row in part.rows
    ]
    places.sort(key=lambda place: place[0].id)
    columns = {policy: number for number, policy in enumerate(generation.policies)}
    violates = np.zeros((len(columns), len(places)), np.bool_)
    complies = np.zeros_like(violates)
    words = np.zeros(len(places), np.int64)
    for number, (entry, _, _) in enumerate(places):
        example = _example(entry)
        words[number] = hash(words_of(example.text))
        violates[[columns[p] for p in example.violates], number] = True
        if example.complies == "all":
            complies[:, number] = True
        else:
            complies[[columns[p] for p in example.complies], number] = True
    return Judgements(
        entries=tuple(place[0] for place in places),
        sources=np.array([place[1:] for place in places], np.int64).reshape(-1, 2),
        words=words,
        violates=violates,
        complies=complies,
    )


def gather(
    generation: Generation,
    judgements: Judgements,
    text: str,
    encoded: WordVectors,
    k: int,
    settings: IndexSettings,
    *,
    near: Mapping[str, Nearness],
    exclude: Collection[str] = (),
) -> Evidence:
    """Return the evidence on every policy, strongest first, ties in the order of the pack.

    `near` has how near the text lies to policies' words, where that is known. On either side of a
    policy, of examples as near as each other those in the text's own words come first, and some are
    always among the `k`: they settle what it is.
    """
    asked = _ask(generation, judgements, encoded, settings, exclude)
    own = judgements.words == hash(words_of(text))
    similarity = asked.near.similarity
    order = np.lexsort((~own, -similarity))  # entries ascend by id: further ties too
    order = order[np.isfinite(similarity[order])]
    nearest = _Nearest(order, np.flatnonzero(own[order]), k)
    found = [
        _of_policy(asked, number, nearest, near.get(policy, _UNTOLD))
        for number, policy in enumerate(generation.policies)
    ]
    strength = strength_of if any(e.kin >= KIN for e in found) else strength_of_another_kind
    return Evidence(
        policies=tuple(sorted(found, key=lambda e: -strength(e))),
        leaning=asked.near.leaning(judgements.breach, judgements.clean),
        index=generation.identity,
        examples=len(judgements.entries),
    )


def strength_of(evidence: PolicyEvidence) -> float:
    """Return how strongly a policy is suggested, for the order of a shortlist.

    The mean of its nearest violating example's similarity and its own words'; their maximum ranks
    HateModerate's policies worse.
    """
    nearest = evidence.violating[0].similarity if evidence.violating else evidence.definition
    return (nearest + evidence.definition) / 2


def strength_of_another_kind(evidence: PolicyEvidence) -> float:
    """Return the same where no policy of the set is of the kind that the encoder was tuned on.

    What these say counts as well, read without the tuning: of 15 such policies the breached one is
    then among the first five in .98 instead of .90 of 60 texts, by their words alone.
    """
    return strength_of(evidence) + evidence.wording + evidence.case


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A text with its scores against a generation's examples and against its policies' words.

    ``near`` is by vectors of texts where there are any, ``by_words`` by words alone. ``read`` holds
    examples by their numbers, each parsed once a text.
    """

    generation: Generation
    judgements: Judgements
    text: WordVectors
    query: Words
    near: Likeness
    by_words: Likeness
    defined: Scores
    defining: Segment
    read: dict[int, JudgedExample] = field(default_factory=dict)

    def neighbours(self, numbers: Ints) -> tuple[JudgedNeighbour, ...]:
        """Return these examples with their similarities, which rounding takes beyond 1."""
        return tuple(
            JudgedNeighbour(self._read(n), min(1.0, float(self.near.similarity[n])))
            for n in numbers
        )

    def _read(self, number: int) -> JudgedExample:
        if number not in self.read:
            self.read[number] = _example(self.judgements.entries[number])
        return self.read[number]


def _ask(
    generation: Generation,
    judgements: Judgements,
    text: WordVectors,
    settings: IndexSettings,
    exclude: Collection[str],
) -> _Asked:
    query = words_that_count(text, settings, most=settings.query_words)
    allowed = np.ones(len(judgements.entries), np.bool_)
    allowed[judgements.numbers(exclude)] = False
    near, by_words = (
        Likeness(np.where(allowed, similarity, -np.inf), allowed)
        for similarity in _scores(generation, judgements, query, settings)
    )
    defining = generation.definitions
    assert defining is not None
    defined = score(Part(defining), query, settings, settings.evidence_aggregation, exact=True)
    if len(query.text):
        defined = replace(defined, similarity=_by_texts(defining, defined.rows, query))
    return _Asked(generation, judgements, text, query, near, by_words, defined, defining)


@dataclass(frozen=True, slots=True, eq=False)
class _Nearest:
    """Examples, nearest first; ``own`` are the places in ``order`` of those in the text's words."""

    order: Ints
    own: Ints
    k: int

    def of(self, side: Flags) -> Ints:
        """Return the `k` nearest of a side, best first, and in any case those in the text's words.

        *Shape:* ``side`` (n_examples,).
        """
        there = side[self.order]
        places = np.flatnonzero(there)[: self.k]
        settling = self.own[there[self.own]][: self.k]
        if len(settling):
            others = np.setdiff1d(places, settling)[: self.k - len(settling)]
            places = np.sort(np.concatenate([settling, others]))
        found: Ints = self.order[places]
        return found


def _of_policy(asked: _Asked, number: int, nearest: _Nearest, near: Nearness) -> PolicyEvidence:
    """Return the evidence on the policy of that number."""
    policy, judgements = asked.generation.policies[number], asked.judgements
    sides = judgements.violates[number], judgements.complies[number]
    violating, complying = map(nearest.of, sides)
    row = asked.defining.rows[policy]
    return PolicyEvidence(
        policy=policy,
        violating=asked.neighbours(violating),
        complying=asked.neighbours(complying),
        definition=float(asked.defined.similarity[row]),
        leaning=asked.near.leaning(*sides),
        word_leaning=asked.by_words.leaning(*sides),
        wording=near.wording,
        case=near.case,
        kin=near.kin,
        spans=spans(asked.text, asked.query, _speaking(asked, violating, complying, row)),
    )


def _speaking(asked: _Asked, violating: Ints, complying: Ints, row: int) -> Floats:
    """Return how much each word of the query speaks for a breach of the policy defined in `row`."""
    if not asked.text.pulls.shape[1]:
        best = _best(asked, violating) if len(violating) else asked.defined.best[:, [row]]
        return matched(best, _best(asked, complying))
    near = [asked.defining.texts[row]]  # with the nearest example: what `strength_of` is made of
    for part, entry in asked.judgements.sources[violating[:1]]:
        near.append(asked.generation.parts[part].segment.texts[entry])
    return moved(asked.text, asked.query, np.stack(near))


def _best(asked: _Asked, numbers: Ints) -> Floats:
    """Return how well each word is matched in some examples. *Shape:* (n_query, n_numbers)."""
    query = from_grid(asked.query.vectors)
    best = np.zeros((len(query), len(numbers)), np.float32)
    for column, (part, row) in enumerate(asked.judgements.sources[numbers]):
        words = asked.generation.parts[part].segment.words(row)
        best[:, column] = (query @ from_grid(words.vectors).T).max(axis=1)
    return best


def _scores(
    generation: Generation, judgements: Judgements, query: Words, settings: IndexSettings
) -> tuple[Doubles, Doubles]:
    """Return similarities, by texts and by words, (n_examples,) in order of ids.

    By texts all are compared, for a policy's few examples are seldom among the candidates of words.
    """
    wide = replace(settings, candidates=settings.evidence_candidates)
    by_words = np.full(len(judgements.entries), -np.inf)
    by_texts = by_words.copy()
    for number, part in enumerate(generation.parts):
        held = np.flatnonzero(judgements.sources[:, 0] == number)
        rows = judgements.sources[held, 1]
        if len(query.text):
            by_texts[held] = _by_texts(part.segment, rows, query)
        scores = score(part, query, wide, wide.evidence_aggregation)
        if not len(scores.rows):
            continue  # a text without words that count
        place = np.minimum(np.searchsorted(scores.rows, rows), len(scores.rows) - 1)
        scored = scores.rows[place] == rows
        by_words[held[scored]] = scores.similarity[place[scored]]
    return (by_texts if len(query.text) else by_words), by_words


def _by_texts(segment: Segment, rows: Ints, query: Words) -> Doubles:
    """Return the similarities of some entries by the vectors of texts. *Shape:* (n_rows,)."""
    return segment.likeness(rows, query.text).astype(np.float64)


def _example(entry: Entry) -> JudgedExample:
    return JudgedExample.model_validate_json(entry.record)
