from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics import f1_score, precision_score, recall_score
from seqeval.scheme import IOB2

from tests.training.ner_examples import result, sentence
from training import ner_scores
from training.ner_scores import ALL, NEITHER, NO_LEFTOVER, NO_REPEATS, Compared
from wraner.entities import Mention, Span
from wraner.formats.tags import tags_of

WORDS = 12
TOKENS = [Span(4 * i, 4 * i + 3) for i in range(WORDS)]


@st.composite
def flat_mentions(draw: st.DrawFn) -> frozenset[Mention]:
    """Mentions of whole tokens that do not overlap, some of them touching."""
    borders = sorted(draw(st.sets(st.integers(0, WORDS), max_size=8)))
    labels = draw(st.lists(st.sampled_from(["a", "b", "-"]), min_size=9, max_size=9))
    return frozenset(
        Mention(TOKENS[first].start, TOKENS[stop - 1].end, label)
        for first, stop, label in zip(borders, borders[1:], labels, strict=False)
        if label != "-"
    )


pairs = st.lists(st.builds(Compared, flat_mentions(), flat_mentions()), min_size=1, max_size=6)


@given(pairs)
def test_scores_are_those_of_seqeval(compared: list[Compared]) -> None:
    gold = [tags_of(TOKENS, sorted(c.gold)) for c in compared]
    found = [tags_of(TOKENS, sorted(c.found)) for c in compared]
    how = {"mode": "strict", "scheme": IOB2, "zero_division": 0}
    counts = ner_scores.total([c.counts for c in compared])
    assert counts.precision == pytest.approx(precision_score(gold, found, **how))
    assert counts.recall == pytest.approx(recall_score(gold, found, **how))
    assert counts.f1 == pytest.approx(f1_score(gold, found, **how))


@given(pairs)
def test_every_mention_has_one_place(compared: list[Compared]) -> None:
    errors = ner_scores.find_content_errors(compared)
    counts = ner_scores.total([c.counts for c in compared])
    paired = errors.right + errors.wrong_label + errors.wrong_border + errors.both_wrong
    assert errors.right == counts.right
    assert paired + errors.missed == counts.gold
    assert paired + errors.spurious == counts.found


@pytest.mark.parametrize(
    ("gold", "found", "kind"),
    [
        ([(0, 3, "a")], [(0, 3, "a")], {"right": 1}),
        ([(0, 3, "a")], [(0, 3, "b")], {"wrong_label": 1}),
        ([(0, 7, "a")], [(4, 9, "a")], {"wrong_border": 1}),
        ([(0, 7, "a")], [(4, 9, "b")], {"both_wrong": 1}),
        ([(0, 3, "a")], [(3, 5, "a")], {"missed": 1, "spurious": 1}),
        # cut in two: one half is paired, the other is too much
        ([(0, 9, "a")], [(0, 3, "a"), (4, 9, "a")], {"wrong_border": 1, "spurious": 1}),
        # the same label goes before the longer overlap
        ([(0, 9, "a")], [(0, 6, "b"), (7, 9, "a")], {"wrong_border": 1, "spurious": 1}),
        # what is right is never paired again
        ([(0, 3, "a"), (4, 9, "a")], [(0, 3, "a"), (5, 9, "a")], {"right": 1, "wrong_border": 1}),
    ],
)
def test_errors_are_told_apart(
    gold: list[tuple[int, int, str]], found: list[tuple[int, int, str]], kind: dict[str, int]
) -> None:
    one = Compared(frozenset(Mention(*m) for m in gold), frozenset(Mention(*m) for m in found))
    errors = ner_scores.find_content_errors([one])
    counted = {name: getattr(errors, name) for name in errors.__dataclass_fields__}
    assert {name: n for name, n in counted.items() if n} == kind
    listed = ner_scores.list_content_errors(one)
    assert Counter(error.kind for error in listed) == {
        n: c for n, c in kind.items() if n != "right"
    }
    assert {error.gold for error in listed} - {None} == one.gold - one.found
    assert {error.found for error in listed} - {None} == one.found - one.gold


def test_columns_leave_out_types_and_repeats() -> None:
    trip = result(
        sentence("Ann saw Rome", [(0, 3, "person"), (8, 12, "rest")], [(8, 12, "city")]),
        sentence("Ann saw it", [(0, 3, "person")], [(0, 3, "person")], also_in="train"),
        sentence("It was Tuesday", [], [(7, 14, "rest")]),
    )
    counted = {
        column: ner_scores.total(ner_scores.count(trip, column))
        for column in (ALL, NO_LEFTOVER, NO_REPEATS, NEITHER)
    }
    shown = {column: (c.right, c.found, c.gold) for column, c in counted.items()}
    assert shown == {
        ALL: (1, 3, 3),
        NO_LEFTOVER: (1, 2, 2),
        NO_REPEATS: (0, 2, 2),
        NEITHER: (0, 1, 1),
    }
    assert len(ner_scores.count(trip, NO_REPEATS)) == 2


def test_types_are_scored_apart_the_commonest_first() -> None:
    trip = result(
        sentence("Ann saw Bob", [(0, 3, "person"), (8, 11, "person")], [(0, 3, "person")]),
        sentence("In Rome", [(3, 7, "city")], [(3, 7, "person")]),
    )
    scores = [
        (s.type, s.counts.right, s.counts.found, s.counts.gold)
        for s in ner_scores.score_types(ner_scores.compare(trip, ALL), trip.types)
    ]
    assert scores == [("person", 1, 2, 2), ("city", 0, 0, 1), ("rest", 0, 0, 0)]


def test_answers_are_checked_against_their_text() -> None:
    good = sentence("Ann saw Bob", [], [(0, 3, "person"), (4, 7, "city")], dropped=2)
    wrong = replace(good, found=(replace(good.found[0], text="Bob"),), truncated=True, dropped=0)
    unknown = sentence("Ann saw Bob", [], [(0, 3, "planet")])
    twice = sentence("Ann saw Bob", [], [(0, 7, "person"), (4, 11, "city")])
    errors = ner_scores.find_answer_errors(result(good, wrong, unknown, twice))
    assert (errors.dropped, errors.truncated) == (2, 1)
    assert (errors.ungrounded, errors.undeclared, errors.overlapping) == (1, 1, 1)
    assert errors.impossible == 3
    assert ner_scores.find_answer_errors(result(good)).impossible == 0


def test_retrieval_is_scored_by_the_types_of_examples() -> None:
    trip = result(
        sentence(
            "Ann saw Rome",
            [(0, 3, "person"), (8, 12, "city")],
            [],
            shown=(("city",), ("rest",), ("city", "rest")),
        ),
        sentence("It rained", [], [], shown=(("city",),)),
    )
    score = ner_scores.score_retrieval(trip)
    assert (score.fitting, score.covered, score.examples) == (pytest.approx(2 / 3), 0.5, 3.0)
    nothing = ner_scores.score_retrieval(result(sentence("It rained", [], [])))
    assert (nothing.fitting, nothing.covered, nothing.examples) == (0.0, 0.0, 0.0)
