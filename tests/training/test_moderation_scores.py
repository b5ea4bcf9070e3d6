import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.moderation_examples import prediction, row, system
from training.bootstrap import Resampling
from training.calibration_scores import (
    alike_calibration_error,
    calibration_error,
    score_bins,
    score_coverage,
)
from training.moderation_cases import Case, all_cases, clean_cases
from training.moderation_intervals import auroc_interval, share_interval
from training.moderation_results import Decided, System
from training.moderation_scores import (
    count_review,
    find_oracle,
    score_failures,
    score_kinds,
    score_policies,
    score_tiers,
)
from training.policy_matching import score_matching
from wraner.metrics import auroc, failure_rates

ROWS = [
    row(1, "banish", True, text="Zorvians, go home"),
    row(2, "mock", True, text="Zorvians go home!"),
    row(3, "mock", True, clean=False),
    row(4, "mock", False, kind=2),
    row(5, "accuse", False, kind=4),
]
SYSTEM = system(0.9, 0.2, 0.1, 0.7, 0.3)
TIERS = {"banish": 1, "mock": 1, "accuse": 2}


@st.composite
def cases(draw: st.DrawFn) -> list[Case]:
    scores = st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0])
    drawn = draw(st.lists(st.tuples(st.booleans(), scores), min_size=1, max_size=25))
    return [
        Case(str(n), ("mock",), (), hateful, score, score >= 0.5, False)
        for n, (hateful, score) in enumerate(drawn)
    ]


def test_a_clean_text_counts_once_under_all_its_policies() -> None:
    assert [c.policies for c in all_cases(ROWS, SYSTEM)] == [
        ("banish",),
        ("mock",),
        ("mock",),
        ("mock",),
        ("accuse",),
    ]
    first, *others = clean_cases(ROWS, SYSTEM)
    assert (first.policies, first.score, first.flagged) == (("banish", "mock"), 0.9, True)
    assert [c.policies for c in others] == [("mock",), ("accuse",)]
    unanswered = System("s", "", 0.5, SYSTEM.decided[:2])
    assert len(all_cases(ROWS, unanswered)) == 2 and len(clean_cases(ROWS, unanswered)) == 1


def test_failures_by_policy_tier_and_kind() -> None:
    found = score_policies(all_cases(ROWS, SYSTEM), TIERS)
    assert [(p.hateful_cases, p.other_cases) for p in found] == [(1, 0), (2, 1), (0, 1)]
    assert [(p.hateful, p.other) for p in found] == [(0.0, None), (1.0, 1.0), (None, 0.0)]
    # the mean over policies, not over their three hateful rows
    assert [(t.tier, t.policies, t.hateful, t.other) for t in score_tiers(found)] == [
        (1, 2, 0.5, 1.0),
        (2, 1, None, 0.0),
        (None, 3, 0.5, 0.5),
    ]
    kinds = score_kinds(all_cases(ROWS, SYSTEM))
    assert [(k.kind, k.cases, k.failure) for k in kinds] == [
        (1, 0, None),
        (2, 1, 1.0),
        (3, 0, None),
        (4, 1, 0.0),
    ]


def test_what_is_left_for_review_is_let_pass() -> None:
    decided = (Decided(1, 0.45, False, review=True), Decided(4, 0.42, False, review=True))
    cases = all_cases(ROWS, System("s", "", 0.5, decided))
    assert (count_review(cases).hateful, count_review(cases).other) == (1, 1)
    failures = score_failures(cases)
    assert failures.hateful is not None and failures.hateful.value == 1.0
    assert failures.other is not None and failures.other.value == 0.0


def test_without_cases_there_is_no_figure() -> None:
    failures = score_failures([])
    assert (failures.hateful, failures.other, failures.overall) == (None, None, None)
    assert find_oracle([]) is None and auroc_interval([], positive=[], scores=[]) is None
    assert score_bins([]) == score_coverage([], 0.5) == () and calibration_error([]) is None


@given(cases())
def test_rates_are_those_of_the_metrics(cases: list[Case]) -> None:
    hateful = [c.hateful for c in cases]
    oracle = find_oracle(cases)
    if len(set(hateful)) == 1:
        assert oracle is None
        return
    rates = failure_rates(hateful, [c.flagged for c in cases])
    found = score_failures(cases)
    values = [i.value for i in (found.hateful, found.other, found.overall) if i]
    assert values == pytest.approx([rates.hateful, rates.other, rates.overall])
    scores = [c.score for c in cases]
    area = auroc_interval([c.key for c in cases], positive=hateful, scores=scores)
    assert area is not None and area.value == pytest.approx(auroc(hateful, scores))
    assert area.low <= area.high
    assert oracle is not None
    at = failure_rates(hateful, [s >= oracle.threshold for s in scores])
    assert (at.hateful, at.other) == pytest.approx((oracle.hateful, oracle.other))
    every = [
        failure_rates(hateful, [c.score >= t for c in cases]).overall for t in np.arange(0, 2, 0.1)
    ]
    assert oracle.overall == pytest.approx(min(every))


def test_a_text_is_resampled_whole() -> None:
    many = Resampling(draws=4000)
    alone = share_interval(
        [str(n) for n in range(200)], part=[1, 0] * 100, whole=[1] * 200, resampling=many
    )
    # every text four times: no surer than it was, while 800 texts would be
    whole = share_interval(
        [str(n // 4) for n in range(800)],
        part=([1] * 4 + [0] * 4) * 100,
        whole=[1] * 800,
        resampling=many,
    )
    apart = share_interval(
        [str(n) for n in range(800)], part=[1, 0] * 400, whole=[1] * 800, resampling=many
    )
    assert alone and whole and apart
    half = 1.96 * np.sqrt(0.25 / 200)
    assert (alone.low, alone.high) == pytest.approx((0.5 - half, 0.5 + half), abs=0.008)
    assert (whole.low, whole.high) == pytest.approx((alone.low, alone.high), abs=0.003)
    assert apart.high - apart.low == pytest.approx(half, abs=0.008)
    assert share_interval(["a"], part=[0], whole=[0]) is None


def test_calibration_is_the_distance_of_score_and_share() -> None:
    # of each ten cases with score n / 10, n are hateful
    right = [
        Case(f"{n} {m}", (), (), m < n, n / 10, n >= 5, False) for n in range(10) for m in range(10)
    ]
    bins = score_bins(right)
    assert [b.cases for b in bins] == [10] * 10
    assert calibration_error(bins) == pytest.approx(0)
    over = [Case(c.key, (), (), False, c.score, c.flagged, False) for c in right]
    assert calibration_error(score_bins(over)) == pytest.approx(0.45)


def test_an_error_where_sides_weigh_alike_is_that_of_as_many_of_each() -> None:
    """Scores that are right where every second text breaches are right, however many here do."""
    told = [(0.2, False)] * 80 + [(0.2, True)] * 20 + [(0.8, False)] * 20 + [(0.8, True)] * 80
    even = [Case(str(n), (), (), side, score, False, False) for n, (score, side) in enumerate(told)]
    assert alike_calibration_error(even) == pytest.approx(0)
    rare = [c for c in even if not c.hateful] + [c for c in even if c.hateful][::4]
    assert len(rare) == 125 and alike_calibration_error(rare) == pytest.approx(0)
    assert calibration_error(score_bins(rare)) == pytest.approx(0.192)
    off = [Case(c.key, (), (), c.hateful, c.score + 0.1, False, False) for c in rare]
    assert alike_calibration_error(off) == pytest.approx(0.1)
    one_side = [c for c in even if c.hateful]
    assert alike_calibration_error(one_side) is alike_calibration_error([]) is None


def test_the_order_of_rows_with_one_score_says_nothing() -> None:
    even = [Case(str(n), (), (), n < 50, 0.6, True, False) for n in range(100)]
    assert calibration_error(score_bins(even)) == pytest.approx(0.1)
    assert {round(c.risk, 6) for c in score_coverage(even, 0.5)} == {0.5}


def test_the_surest_are_covered_first() -> None:
    sure = [Case(str(n), (), (), True, 0.9, True, False) for n in range(20)]
    unsure = [Case(str(n), (), (), True, 0.45, False, False) for n in range(20, 40)]
    coverage = score_coverage([*unsure, *sure], 0.5)
    assert len(coverage) == 20
    assert [c.risk for c in coverage[:10]] == [0.0] * 10
    assert (coverage[-1].coverage, coverage[-1].risk) == (1.0, 0.5)


def test_policies_are_matched_on_hateful_texts() -> None:
    said = [
        prediction((1,), ("mock", 0.8), ("accuse", 0.6), order="mock accuse banish"),
        prediction((2,), order=""),  # the same text as row 1, which speaks for both
        prediction((3,), ("accuse", 0.4), ("mock", 0.3), order="accuse mock"),
        prediction((4,), ("accuse", 0.9)),  # not hateful
    ]
    found = score_matching(ROWS, said, threshold=0.5, clean=False)
    assert found.texts == 2
    values = [i.value for i in (found.top1, found.top3, found.top5, found.f1) if i]
    # right: mock of row 1; found: mock and accuse; gold: banish and mock, then mock
    assert values == pytest.approx([0.5, 1.0, 1.0, 2 * 1 / (2 + 3)])
    assert (found.precision, found.recall) == pytest.approx((1 / 2, 1 / 3))
    assert [(s.policies, s.recall.value) for s in found.shortlists if s.recall] == [
        (3, 1.0),
        (5, 1.0),
        (10, 1.0),
    ]
    clean = score_matching(ROWS, said, threshold=0.5, clean=True)
    assert clean.texts == 1 and clean.top1 is not None and clean.top1.value == 1.0
    nothing = score_matching(ROWS[3:], said, threshold=0.5, clean=False)
    assert nothing.top1 is nothing.precision is nothing.recall is None


def test_a_shortlist_is_recalled_by_its_length() -> None:
    long = "a b c mock d e f g h banish"
    found = score_matching(
        ROWS[:2], [prediction((1,), order=long), prediction((2,))], threshold=0.5, clean=True
    )
    recalls = [s.recall.value for s in found.shortlists if s.recall]
    assert recalls == [0.0, 0.5, 1.0]
