"""How often chance alone brings a gain: exact where few differ, near that where ways are drawn."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.randomisation import chance_of_gain
from wraner.metrics import SpanCounts

RIGHT, WRONG = SpanCounts(1, 1, 1), SpanCounts(0, 1, 1)


@st.composite
def answered(draw: st.DrawFn) -> tuple[SpanCounts, SpanCounts]:
    """Two systems' counts of one sentence."""
    gold = draw(st.integers(0, 3))
    founds = draw(st.integers(0, 3)), draw(st.integers(0, 3))
    one, other = (SpanCounts(draw(st.integers(0, min(f, gold))), f, gold) for f in founds)
    return one, other


def f1(sentences: list[SpanCounts]) -> float:
    total = SpanCounts(
        sum(c.right for c in sentences),
        sum(c.found for c in sentences),
        sum(c.gold for c in sentences),
    )
    return total.f1


@given(st.lists(answered(), min_size=1, max_size=6))
def test_with_few_sentences_it_is_the_share_of_all_exchanges(
    pairs: list[tuple[SpanCounts, SpanCounts]],
) -> None:
    gain = f1([one for one, _ in pairs]) - f1([other for _, other in pairs])
    reached = [
        f1([pair[kept] for pair, kept in zip(pairs, ways, strict=True)])
        - f1([pair[1 - kept] for pair, kept in zip(pairs, ways, strict=True)])
        >= gain - 1e-12
        for ways in product((0, 1), repeat=len(pairs))
    ]
    chance = chance_of_gain([one for one, _ in pairs], [other for _, other in pairs])
    assert chance == pytest.approx(sum(reached) / len(reached))


@pytest.mark.parametrize("changed", [4, 5, 6, 12])
def test_of_sentences_that_are_all_better_one_way_in_two_to_their_number(changed: int) -> None:
    alike = [RIGHT, WRONG] * 10
    chance = chance_of_gain([RIGHT] * changed + alike, [WRONG] * changed + alike)
    assert chance == pytest.approx(0.5**changed)


def test_drawn_ways_come_near_and_are_never_surer_than_their_number() -> None:
    better, worse = [RIGHT] * 13 + [WRONG] * 7, [WRONG] * 13 + [RIGHT] * 7
    assert chance_of_gain(better, worse) == pytest.approx(0.132, abs=0.03)  # binomial
    assert chance_of_gain([RIGHT] * 60, [WRONG] * 60) == 1 / 1001


def test_equal_systems_always_gain_as_much_by_chance() -> None:
    assert chance_of_gain([RIGHT, WRONG], [RIGHT, WRONG]) == 1.0


def test_other_sentences_are_refused() -> None:
    with pytest.raises(ValueError, match="the same sentences"):
        chance_of_gain([RIGHT], [SpanCounts(0, 0, 2)])
