import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wraner.entities import Mention
from wraner.metrics import auroc, count_spans, failure_rates


def test_a_mention_is_right_only_where_all_of_it_is() -> None:
    gold = [[Mention(0, 3, "a"), Mention(5, 9, "b")], [Mention(0, 1, "a")], []]
    found = [[Mention(0, 3, "a"), Mention(5, 8, "b")], [Mention(0, 1, "b")], [Mention(0, 1, "a")]]
    counts = count_spans(gold, found)
    assert (counts.right, counts.found, counts.gold) == (1, 4, 3)
    assert counts.precision == 0.25
    assert counts.recall == pytest.approx(1 / 3)
    assert counts.f1 == pytest.approx(2 / 7)
    nothing = count_spans([[]], [[]])
    assert nothing.f1 == nothing.precision == nothing.recall == 0.0


def test_failure_rates_are_over_rows_of_each_class() -> None:
    rates = failure_rates([True, True, True, True, False], [True, True, True, False, True])
    assert (rates.hateful, rates.other, rates.overall) == (0.25, 1.0, 0.4)
    with pytest.raises(ValueError, match="both classes"):
        failure_rates([True], [True])
    with pytest.raises(ValueError, match="both classes"):
        auroc([False], [0.5])


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5))))
def test_auroc_counts_pairs(rows: list[tuple[bool, int]]) -> None:
    high = [score for positive, score in rows if positive]
    low = [score for positive, score in rows if not positive]
    assume(high and low)
    wins = sum((h > x) + (h == x) / 2 for h in high for x in low)
    assert auroc(*map(list, zip(*rows, strict=True))) == pytest.approx(wins / len(high) / len(low))
