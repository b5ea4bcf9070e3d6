import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.bootstrap import (
    Resampling,
    affordable,
    mean_interval,
    paired_difference,
    paired_mean_difference,
)
from wraner.metrics import SpanCounts

RIGHT, WRONG = SpanCounts(1, 1, 1), SpanCounts(0, 1, 1)


@st.composite
def counted(draw: st.DrawFn) -> SpanCounts:
    found, gold = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    return SpanCounts(draw(st.integers(0, min(found, gold))), found, gold)


def test_equal_sentences_leave_no_doubt() -> None:
    interval = mean_interval([[RIGHT] * 20])
    assert (interval.value, interval.low, interval.high) == (1.0, 1.0, 1.0)
    interval = mean_interval([[SpanCounts(0, 0, 0)] * 3])
    assert (interval.value, interval.low, interval.high) == (0.0, 0.0, 0.0)


def test_the_interval_is_the_binomial_one_where_each_sentence_has_one_mention() -> None:
    # F1 is then the share of right sentences, whose deviation is sqrt(p (1 - p) / n)
    interval = mean_interval([[RIGHT] * 120 + [WRONG] * 80], Resampling(draws=20_000))
    half = 1.96 * np.sqrt(0.6 * 0.4 / 200)
    assert interval.value == pytest.approx(0.6)
    assert interval.low == pytest.approx(0.6 - half, abs=0.008)
    assert interval.high == pytest.approx(0.6 + half, abs=0.008)


@given(st.lists(counted(), min_size=1, max_size=30))
def test_the_value_is_the_micro_f1_and_draws_repeat(sentences: list[SpanCounts]) -> None:
    interval = mean_interval([sentences], Resampling(draws=50))
    whole = SpanCounts(*(sum(getattr(c, n) for c in sentences) for n in ("right", "found", "gold")))
    assert interval.value == pytest.approx(whole.f1)
    assert 0 <= interval.low <= interval.high <= 1
    assert interval == mean_interval([sentences], Resampling(draws=50))


def test_a_mean_weighs_domains_equally_and_is_surer_than_each() -> None:
    mixed = [RIGHT, WRONG] * 50
    alone, mean = mean_interval([mixed]), mean_interval([mixed] * 4)
    assert mean.value == pytest.approx(alone.value)
    # four independent domains halve the deviation
    assert mean.high - mean.low == pytest.approx((alone.high - alone.low) / 2, rel=0.2)
    assert mean_interval([[RIGHT], [WRONG] * 9]).value == pytest.approx(0.5)


def test_a_system_does_not_differ_from_itself() -> None:
    mixed = [RIGHT, WRONG] * 30
    difference = paired_difference(mixed, mixed)
    assert (difference.value, difference.low, difference.high) == (0.0, 0.0, 0.0)


def test_pairing_sees_a_steady_lead_that_intervals_hide() -> None:
    second = [RIGHT, WRONG] * 50
    first = [RIGHT, WRONG] * 45 + [RIGHT] * 10
    difference = paired_difference(first, second)
    assert difference.value == pytest.approx(0.05)
    assert 0 < difference.low < 0.05 < difference.high
    assert mean_interval([first]).low < mean_interval([second]).high
    turned = paired_difference(second, first)
    assert (turned.value, turned.low, turned.high) == pytest.approx(
        (-difference.value, -difference.high, -difference.low)
    )


def test_differences_average_over_domains() -> None:
    first, second = [[RIGHT] * 4, [RIGHT, WRONG]], [[WRONG] * 4, [RIGHT, WRONG]]
    assert paired_mean_difference(first, second).value == pytest.approx(0.5)


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one sentence"):
        mean_interval([[]])
    with pytest.raises(ValueError, match="at least one sentence"):
        mean_interval([])
    with pytest.raises(ValueError, match="the same sentences"):
        paired_difference([RIGHT], [RIGHT, RIGHT])
    with pytest.raises(ValueError, match="the same sentences"):
        paired_difference([RIGHT], [SpanCounts(0, 0, 2)])


def test_many_rows_are_drawn_less_often() -> None:
    draws = [affordable(rows).draws for rows in (1, 5_000, 10_000, 10**6)]
    assert draws == [1_000, 1_000, 500, 100]
    with pytest.raises(ValueError, match="at least one row to draw, was: 0"):
        affordable(0)
