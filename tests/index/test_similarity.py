import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.encoder import WordVectors, unit_rows
from index.settings import IndexSettings
from index.similarity import SCALE, from_grid, similarities, to_grid, words_that_count
from wraner.chunks import chunk


def random_rows(seed: int, rows: int, dimension: int = 384) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)
    return from_grid(to_grid(unit_rows(drawn)))


def encoded(text: str) -> WordVectors:
    chunks = chunk(text)
    return WordVectors(chunks, random_rows(0, len(chunks), 8))


@given(st.integers(0, 1000), st.integers(1, 300))
def test_dot_products_on_the_grid_have_no_rounding(seed: int, dimension: int) -> None:
    rows = random_rows(seed, 20, dimension)
    whole = (rows * SCALE).astype(np.int64)
    assert ((rows @ rows.T).astype(np.float64) * SCALE**2 == whole @ whole.T).all()


@pytest.mark.parametrize("aggregation", ["forward", "symmetric"])
def test_equal_however_the_examples_are_cut(aggregation: str) -> None:
    words, query = random_rows(1, 60), random_rows(2, 7)
    words[5] = query[3]
    weights = np.random.default_rng(3).integers(1, 4096, 60).astype(np.float32) / 4096
    offsets = np.array([0, 1, 5, 20, 21, 45, 60])
    found, best = similarities(query, weights[:7], words, weights, offsets, aggregation)
    for number in range(6):
        rows = slice(offsets[number], offsets[number + 1])
        ends = np.array([0, offsets[number + 1] - offsets[number]])
        alone, matches = similarities(
            query, weights[:7], words[rows], weights[rows], ends, aggregation
        )
        assert alone[0] == found[number]
        assert (matches[:, 0] == best[:, number]).all()


@pytest.mark.parametrize("aggregation", ["forward", "symmetric"])
def test_matches_the_definition(aggregation: str) -> None:
    words, query = random_rows(1, 9), random_rows(2, 3)
    weights = np.arange(1, 10, dtype=np.float32) / 16
    found, _ = similarities(query, weights[:3], words, weights, np.array([0, 4, 9]), aggregation)
    for number, rows in enumerate((range(4), range(4, 9))):
        forward = sum(weights[i] * max(query[i] @ words[j] for j in rows) for i in range(3))
        reverse = sum(weights[j] * max(query[i] @ words[j] for i in range(3)) for j in rows)
        expected = forward / weights[:3].sum()
        if aggregation == "symmetric":
            expected = (expected + reverse / weights[list(rows)].sum()) / 2
        assert found[number] == pytest.approx(expected, abs=1e-6)


def test_a_query_without_words_is_similar_to_nothing() -> None:
    empty = np.zeros((0, 8), np.float32)
    found, best = similarities(
        empty,
        np.zeros(0, np.float32),
        random_rows(1, 4, 8),
        np.ones(4, np.float32),
        np.array([0, 4]),
        "symmetric",
    )
    assert found.tolist() == [0.0]
    assert best.shape == (0, 1)


def test_light_words_do_not_count() -> None:
    text = encoded("the cathedral of Strasbourg , the tallest")
    words = words_that_count(text, IndexSettings(min_weight=0.6))
    assert [text.chunks[p].text for p in words.places] == ["cathedral", "Strasbourg", "tallest"]


@pytest.mark.parametrize("text", ["!", "the of the", "..."])
def test_a_text_of_light_words_counts_whole(text: str) -> None:
    words = words_that_count(encoded(text), IndexSettings(min_weight=0.6))
    assert len(words.places) == len(chunk(text))
    assert (words.weights > 0).all()


def test_the_weightiest_words_are_taken_in_order() -> None:
    text = encoded("a cathedral is not Zhoraxq nor Qqelb")
    words = words_that_count(text, IndexSettings(min_weight=0.0), most=3)
    assert [text.chunks[p].text for p in words.places] == ["cathedral", "Zhoraxq", "Qqelb"]
