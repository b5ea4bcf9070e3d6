from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wraner.chunks import chunk
from wraner.entities import Mention, Span
from wraner.tagging import LONGEST_WORDS, likely, longest_words, span_odds, tag
from wraner.word_votes import Habits, WordVotes

HABITS = Habits(
    np.array([0.7, 0.2, 0.1]), np.array([[0.8, 0.2, 0.0], [0.5, 0.2, 0.3], [0.6, 0.1, 0.3]])
)
LABELS = ("city", "person")


def votes_of(shares: list[list[float]], labels: tuple[str, ...] = LABELS) -> WordVotes:
    words = tuple(Span(3 * i, 3 * i + 2) for i in range(len(shares)))
    rows = np.array(shares, float).reshape(-1, 1 + 2 * len(labels))
    return WordVotes(
        words, labels, rows / rows.sum(axis=1, keepdims=True), HABITS, 100, (9,) * len(labels)
    )


def test_every_probability_is_that_of_counting_all_taggings() -> None:
    votes = votes_of([[3, 4, 1, 1, 1], [1, 1, 1, 5, 2], [2, 1, 3, 2, 2], [5, 1, 1, 1, 1]])
    kinds = [0, 1, 1, 2, 2]
    expected = np.zeros((4, 4, 2))
    total = 0.0
    for tags in product(range(5), repeat=4):
        weight, before = 1.0, 0
        for row, now in zip(votes.shares, tags, strict=True):
            goes_on = kinds[now] < 2 or before in (now, now - 2)
            step = HABITS.following[kinds[before], kinds[now]]
            weight *= goes_on * step * (row[now] + 1e-4) / HABITS.prior[kinds[now]]
            before = now
        weight *= HABITS.following[kinds[before], 0]
        total += weight
        for first, begun in enumerate(tags):
            if kinds[begun] == 1:
                size = 1
                while first + size < 4 and tags[first + size] == begun + 2:
                    size += 1
                expected[size - 1, first, begun - 1] += weight
    np.testing.assert_allclose(span_odds(votes, longest=4), expected / total, atol=1e-12)


@given(
    st.integers(0, 8).flatmap(
        lambda n: st.lists(
            st.lists(st.floats(0.01, 1), min_size=5, max_size=5), min_size=n, max_size=n
        )
    )
)
def test_tagged_entities_are_flat_and_likely(shares: list[list[float]]) -> None:
    text = "aa " * len(shares)
    found = tag(text, votes_of(shares), threshold=0.05)
    assert all(e.text == text[e.start : e.end] and 0.05 <= e.score <= 1 for e in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


def test_a_clear_vote_is_an_entity() -> None:
    votes = votes_of([[9, 0, 0, 0, 0], [0, 0, 9, 0, 0], [0, 0, 0, 0, 9], [9, 0, 0, 0, 0]])
    (entity,) = tag("aa bb cc dd", votes)
    assert (entity.text, entity.label) == ("bb cc", "person")
    assert entity.score > 0.9


def test_without_tagged_examples_nothing_is_likely() -> None:
    votes = votes_of([[1.0], [1.0]], labels=())
    assert likely(votes, span_odds(votes), 0.0) == []


def test_what_is_not_asked_for_counts_as_outside() -> None:
    votes = votes_of([[2, 5, 1, 1, 1]]).only(["person"])
    assert votes.labels == ("person",)
    np.testing.assert_allclose(votes.shares, [[0.8, 0.1, 0.1]])


def test_likely_stretches_name_their_characters() -> None:
    votes = votes_of([[0, 9, 0, 0, 0], [0, 0, 0, 9, 0]])
    assert likely(votes, span_odds(votes), 0.5)[0][0] == Mention(0, 5, "city")


def votes_for_one_name(text: str, words: int) -> WordVotes:
    """Votes for a person of so many words behind one word of no type."""
    rows = [[0, 0, 9, 0, 0], *[[0, 0, 0, 0, 9]] * (words - 1)]
    chunks = chunk(text)
    outside = [[9, 0, 0, 0, 0]] * (len(chunks) - words - 1)
    votes = votes_of([[9, 0, 0, 0, 0], *rows, *outside])
    return replace(votes, words=tuple(Span(c.start, c.end) for c in chunks))


@pytest.mark.parametrize("text", ["在" + "京" * 17 + "工作。", "in" + "서울" * 10 + " 2024"])
def test_a_long_name_in_an_unspaced_script_is_found(text: str) -> None:
    name = len(chunk(text)) - 1 - (3 if text.endswith("。") else 1)
    (entity,) = tag(text, votes_for_one_name(text, name))
    assert entity.label == "person"
    assert len(entity.text) == name > LONGEST_WORDS


def test_elsewhere_an_entity_has_at_most_so_many_words() -> None:
    spaced = "in " + "Foo " * 20 + "京京京京"
    words = len(chunk(spaced))
    assert tag(spaced, votes_for_one_name(spaced, 13)) == ()
    assert longest_words(spaced, votes_for_one_name(spaced, 13).words) == LONGEST_WORDS < words
