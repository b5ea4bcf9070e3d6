import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.weighting import GRID, weight


@given(st.text(max_size=12))
def test_every_word_has_a_weight_on_the_grid(word: str) -> None:
    found = weight(word)
    assert 0 <= found <= 1
    assert (found / GRID).is_integer()


@pytest.mark.parametrize("mark", [",", ".", "...", "-", "(", "'", "\x00", "\u200b", ""])
def test_marks_weigh_nothing(mark: str) -> None:
    assert weight(mark) == 0


def test_rare_words_weigh_more() -> None:
    words = ["the", "people", "bridge", "cathedral", "Bundestag", "Zhoraxq"]
    weights = [weight(word) for word in words]
    assert weights == sorted(weights)
    assert weights[0] < 0.55 < 0.95 < weights[-1]


@pytest.mark.parametrize("word", ["😀", "北", "مرحبا", "€"])
def test_other_scripts_and_symbols_weigh_something(word: str) -> None:
    assert weight(word) > 0.1


def test_the_language_matters() -> None:
    assert weight("nicht", "de") < weight("nicht", "en")
