import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.letter_case import LetterCase, letter_case


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (",", LetterCase.MARK),
        ("😀", LetterCase.MARK),
        ("", LetterCase.MARK),
        ("rhine", LetterCase.LOWER),
        ("über", LetterCase.LOWER),
        ("Rhine", LetterCase.CAPITALISED),
        ("A", LetterCase.ONE_CAPITAL),
        ("US", LetterCase.CAPITALS),
        ("1998", LetterCase.NUMBER),
        ("3.5", LetterCase.NUMBER),
        ("mp3", LetterCase.WITH_DIGITS),
        ("B2B", LetterCase.WITH_DIGITS),
        ("iPhone", LetterCase.MIXED),
        ("McCartney", LetterCase.MIXED),
        ("北京", LetterCase.MIXED),
    ],
)
def test_how_a_word_is_written(word: str, expected: LetterCase) -> None:
    assert letter_case(word) is expected


@given(word=st.text(max_size=12))
def test_any_word_is_written_in_some_way(word: str) -> None:
    assert letter_case(word) is not LetterCase.NOTHING


def test_the_order_is_the_tables() -> None:
    assert [case.value for case in LetterCase] == list(range(9))
