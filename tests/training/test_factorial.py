"""The design is what the book says, and its effects are those that a response was made of."""

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.factorial import MOST_FACTORS, RUNS, design, effects

EIGHT = list(zip(*design(MOST_FACTORS), strict=True))
SIZES = st.floats(-10, 10)


def dot(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    return sum(a * b for a, b in zip(one, other, strict=True))


def times(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a * b for a, b in zip(one, other, strict=True))


def test_every_column_is_balanced_and_at_right_angles_to_every_other() -> None:
    assert len(EIGHT) == 8 and len(set(design(8))) == RUNS
    for column in EIGHT:
        assert sorted(column) == [-1] * 8 + [1] * 8
    for one, other in combinations(EIGHT, 2):
        assert dot(one, other) == 0


def test_no_factor_is_mixed_with_an_interaction_of_two() -> None:
    for main, (one, other) in product(EIGHT, combinations(EIGHT, 2)):
        assert dot(main, times(one, other)) == 0


def test_interactions_of_two_are_mixed_with_each_other_so_it_is_no_better_than_iv() -> None:
    pairs = [times(*pair) for pair in combinations(EIGHT, 2)]
    assert len({max(p, tuple(-x for x in p)) for p in pairs}) == 7


def test_the_generators_are_the_books() -> None:
    a, b, c, d, *others = EIGHT
    assert a[:4] == (-1, 1, -1, 1) and d == (-1,) * 8 + (1,) * 8
    expected = [(b, c, d), (a, c, d), (a, b, c), (a, b, d)]
    assert others == [times(times(x, y), z) for x, y, z in expected]


def test_fewer_factors_take_the_first_columns() -> None:
    assert [run[:5] for run in design(8)] == list(design(5))


@pytest.mark.parametrize("factors", [0, 9])
def test_more_factors_than_it_bears_are_refused(factors: int) -> None:
    with pytest.raises(ValueError, match=f"expected 1 to 8 factors, was: {factors}"):
        design(factors)


@pytest.mark.parametrize("factors", [1, 5, 8])
@given(mean=SIZES, sizes=st.lists(SIZES, min_size=8, max_size=8))
def test_effects_are_those_that_the_response_was_made_of(
    factors: int, mean: float, sizes: list[float]
) -> None:
    made = [mean + sum(s * x / 2 for s, x in zip(sizes, run, strict=False)) for run in design(8)]
    found = effects(made, factors=factors)
    assert found.mean == pytest.approx(mean, abs=1e-9)
    assert found.factors == pytest.approx(tuple(sizes[:factors]), abs=1e-9)
    assert len(found.factors) + len(found.others) == RUNS - 1


def test_an_interaction_of_two_moves_no_factor_but_the_standard_error() -> None:
    made = [5 + 3 * run[0] * run[7] for run in design(8)]
    found = effects(made, factors=8)
    assert found.factors == pytest.approx((0,) * 8, abs=1e-9)
    assert sorted(found.others) == pytest.approx([0] * 6 + [6], abs=1e-9)
    assert found.standard_error == pytest.approx((36 / 7) ** 0.5)


def test_lenths_error_leaves_out_what_stands_out() -> None:
    # Fourteen effects of .1 and one of 9: s0 = 1.5 x .1, and 9 is above 2.5 s0.
    made = [
        9 / 2 * run[0] + 0.05 * (sum(run[1:]) + sum(run[0] * x for x in run[1:]))
        for run in design(8)
    ]
    found = effects(made, factors=8)
    assert found.factors[0] == pytest.approx(9)
    assert [abs(e) for e in (*found.factors[1:], *found.others)] == pytest.approx([0.1] * 14)
    assert found.pseudo_standard_error == pytest.approx(0.15)
    assert found.margin == pytest.approx(0.15 * 2.5706, rel=1e-4)  # t of 5 degrees of freedom


def test_a_response_for_each_run_is_wanted() -> None:
    with pytest.raises(ValueError, match="expected 16 responses, was: 15"):
        effects([0.0] * 15, factors=8)
