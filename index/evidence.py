"""What a generation of a policy set knows of one text: per policy, the nearest on either side.

How near an example lies is said by the vectors of whole texts, where the encoder has them, else by
those of their words. Knows no language model, and decides nothing.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from index.encoder import Floats, WordVectors
from index.evidence_words import matched, moved, spans
from index.generations import Generation, Part
from index.search import Scores, score
from index.segments import Entry, Segment
from index.settings import IndexSettings
from index.similarity import Doubles, Ints, Words, words_that_count
from index.wordings import Nearness
from wraner.fusion import KIN
from wraner.packs import JudgedExample
from wraner.retrieval import Evidence, JudgedNeighbour, PolicyEvidence

_KERNEL = 0.05  # the temperature that the encoder for policy sets was tuned with
_UNTOLD = Nearness(wording=0.0, case=0.0, kin=1.0)

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Judgements:
    """Every live example of a policy set and who violates what, in ascending order of ids.

    *Shape:* ``violates`` and ``complies`` (n_policies, n_examples); ``sources`` (n_examples, 2)
    the part and the row that hold an example.
    """

    entries: tuple[Entry, ...]
    sources: Ints
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
    for number, (entry, _, _) in enumerate(places):
        example = _example(entry.record)
        violates[[columns[p] for p in example.violates], number] = True
        if example.complies == "all":
            complies[:, number] = True
        else:
            complies[[columns[p] for p in example.complies], number] = True
    return Judgements(
        entries=tuple(place[0] for place in places),
        sources=np.array([place[1:] for place in places], np.int64).reshape(-1, 2),
        violates=violates,
        complies=complies,
    )


def gather(
    generation: Generation,
    judgements: Judgements,
    text: WordVectors,
    k: int,
    settings: IndexSettings,
    *,
    near: Mapping[str, Nearness],
    exclude: Collection[str] = (),
) -> Evidence:
    """Return the evidence on every policy, strongest first, ties in the order of the pack.

    `near` has how near the text lies to policies' words, where that is known. In a segment with a
    FAISS index only its candidates are considered.
    """
    asked = _ask(generation, judgements, text, settings, exclude)
    similarity = asked.similarity
    order = np.argsort(-similarity, kind="stable")  # entries ascend by id: ties too
    order = order[np.isfinite(similarity[order])]
    found = [
        _of_policy(asked, number, order, k, near.get(policy, _UNTOLD))
        for number, policy in enumerate(generation.policies)
    ]
    strength = strength_of if any(e.kin >= KIN for e in found) else strength_of_another_kind
    return Evidence(
        policies=tuple(sorted(found, key=lambda e: -strength(e))),
        leaning=_leaning(similarity, judgements.breach, judgements.clean),
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

    *Shape:* ``similarity`` and ``by_words``, the same by words alone, (n_examples,), -inf where one
    may not be retrieved; ``best`` (n_query, n_examples).
    """

    generation: Generation
    judgements: Judgements
    text: WordVectors
    query: Words
    similarity: Doubles
    by_words: Doubles
    best: Floats
    defined: Scores
    defining: Segment


def _ask(
    generation: Generation,
    judgements: Judgements,
    text: WordVectors,
    settings: IndexSettings,
    exclude: Collection[str],
) -> _Asked:
    query = words_that_count(text, settings, most=settings.query_words)
    similarity, by_words, best = _scores(generation, judgements, query, settings)
    gone = [
        n for n, entry in enumerate(judgements.entries if exclude else ()) if entry.id in exclude
    ]
    similarity[gone] = by_words[gone] = -np.inf
    defining = generation.definitions
    assert defining is not None
    defined = score(Part(defining), query, settings, settings.evidence_aggregation, exact=True)
    defined = replace(defined, similarity=_by_texts(defining, defined, query))
    return _Asked(
        generation, judgements, text, query, similarity, by_words, best, defined, defining
    )


def _of_policy(asked: _Asked, number: int, order: Ints, k: int, near: Nearness) -> PolicyEvidence:
    """Return the evidence on the policy of that number; `order` is of examples, nearest first."""
    policy, judgements = asked.generation.policies[number], asked.judgements
    violating = order[judgements.violates[number, order]][:k]
    complying = order[judgements.complies[number, order]][:k]
    row = asked.defining.rows[policy]
    sides = judgements.violates[number], judgements.complies[number]
    return PolicyEvidence(
        policy=policy,
        violating=_neighbours(judgements, violating, asked.similarity),
        complying=_neighbours(judgements, complying, asked.similarity),
        definition=float(asked.defined.similarity[row]),
        leaning=_leaning(asked.similarity, *sides),
        word_leaning=_leaning(asked.by_words, *sides),
        wording=near.wording,
        case=near.case,
        kin=near.kin,
        spans=spans(asked.text, asked.query, _speaking(asked, violating, complying, row)),
    )


def _speaking(asked: _Asked, violating: Ints, complying: Ints, row: int) -> Floats:
    """Return how much each word of the query speaks for a breach of the policy defined in `row`."""
    if not asked.text.pulls.shape[1]:
        best = asked.best[:, violating] if len(violating) else asked.defined.best[:, [row]]
        return matched(best, asked.best[:, complying])
    near = [asked.defining.texts[row]]  # with the nearest example: what `strength_of` is made of
    for part, entry in asked.judgements.sources[violating[:1]]:
        near.append(asked.generation.parts[part].segment.texts[entry])
    return moved(asked.text, asked.query, np.stack(near))


def _scores(
    generation: Generation, judgements: Judgements, query: Words, settings: IndexSettings
) -> tuple[Doubles, Doubles, Floats]:
    """Return similarities, by texts and by words (n_examples,), and best matches (n_query,
    n_examples), in order of ids."""
    wide = replace(settings, candidates=settings.evidence_candidates)
    similarity = np.full(len(judgements.entries), -np.inf)
    by_words = similarity.copy()
    best = np.full((len(query.weights), len(similarity)), -1.0, np.float32)
    for number, part in enumerate(generation.parts):
        scores = score(part, query, wide, wide.evidence_aggregation)
        if not len(scores.rows):
            continue  # a text without words that count
        near = _by_texts(part.segment, scores, query)
        held = np.flatnonzero(judgements.sources[:, 0] == number)
        rows = judgements.sources[held, 1]
        place = np.minimum(np.searchsorted(scores.rows, rows), len(scores.rows) - 1)
        scored = scores.rows[place] == rows
        similarity[held[scored]] = near[place[scored]]
        by_words[held[scored]] = scores.similarity[place[scored]]
        best[:, held[scored]] = scores.best[:, place[scored]]
    return similarity, by_words, best


def _by_texts(segment: Segment, scores: Scores, query: Words) -> Doubles:
    """Return similarities by the vectors of texts; where the encoder has none, by words."""
    if not len(query.text):
        return scores.similarity
    return segment.likeness(scores.rows, query.text).astype(np.float64)


def _leaning(similarity: Doubles, violates: Flags, complies: Flags) -> float:
    """Return how much likelier a text is among one side's examples than the other's, as a log.

    Each side's density is a mean of kernels around its examples, so sides weigh alike whatever
    their size; 0 where a side has none.
    """
    known = np.isfinite(similarity)
    sides = [similarity[side & known] / _KERNEL for side in (violates, complies)]
    if not all(len(side) for side in sides):
        return 0.0
    near, far = (np.logaddexp.reduce(side) - np.log(len(side)) for side in sides)
    return float(near - far)


def _neighbours(
    judgements: Judgements, numbers: Ints, similarity: Doubles
) -> tuple[JudgedNeighbour, ...]:
    return tuple(
        JudgedNeighbour(_example(judgements.entries[n].record), float(similarity[n]))
        for n in numbers
    )


@lru_cache(maxsize=16_384)
def _example(record: str) -> JudgedExample:
    return JudgedExample.model_validate_json(record)
