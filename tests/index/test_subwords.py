from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.bundled import bundled_minilm
from index.letter_case import LetterCase, letter_case
from index.subwords import SubwordReader
from tests.index.conftest import SPECIAL
from wraner.chunks import chunk


@pytest.fixture(scope="module")
def minilm_reader() -> SubwordReader:
    return SubwordReader(bundled_minilm())


@pytest.fixture(scope="module")
def reader(tiny: Path) -> SubwordReader:
    return SubwordReader(tiny)


def test_subwords_know_their_words_and_how_those_are_written(reader: SubwordReader) -> None:
    read = reader.read("ab Cd, 7")
    assert [c.text for c in read.chunks] == ["ab", "Cd", ",", "7"]
    assert read.parts == [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2), (5, 3)]
    assert read.cases == [
        *[LetterCase.LOWER] * 2,
        *[LetterCase.CAPITALISED] * 2,
        LetterCase.MARK,
        LetterCase.NUMBER,
    ]


@pytest.mark.model
def test_a_text_of_which_only_marks_are_known_is_not_legible(minilm_reader: SubwordReader) -> None:
    illegible = ["🎉", "👍🏽 🤬", "🐒!?", "ขอบคุณ"]
    legible = ["?!", "", "🎉 at 5", "thanks 👍", "東京"]
    assert [t for t in illegible + legible if not minilm_reader.read(t).legible] == illegible


def test_the_marks_around_a_text(reader: SubwordReader) -> None:
    assert reader.before == [SPECIAL.index("[CLS]")]
    assert reader.after == [SPECIAL.index("[SEP]")]


@settings(max_examples=80, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_is_read_whole(reader: SubwordReader, text: str) -> None:
    read = reader.read(text)
    assert read.chunks == chunk(text)
    assert len(read.cases) == len(read.ids)
    assert read.parts == sorted(set(read.parts))
    for subword, word in read.parts:
        assert 0 <= subword < len(read.ids)
        if sum(s == subword for s, _ in read.parts) == 1:
            assert read.cases[subword] == letter_case(read.chunks[word].text)


def test_a_slow_tokenizer_is_refused(reader: SubwordReader, tmp_path: Path) -> None:
    with pytest.raises((OSError, ValueError)):
        SubwordReader(tmp_path)
