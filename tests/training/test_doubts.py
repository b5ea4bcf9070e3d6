"""Doubts: what falls short of its label's mean, over the words of entities alone."""

import numpy as np
import pytest

from index.settings import IndexSettings
from training.doubts import doubts
from wraner.chunks import chunk
from wraner.entities import Mention, Span
from wraner.packs import TaggedExample
from wraner.word_votes import Habits, WordVotes


def votes(text: str, *shares: list[float]) -> WordVotes:
    """Return votes for a person and a town: outside, then either's beginning, then its inside."""
    return WordVotes(
        tuple(Span(c.start, c.end) for c in chunk(text)),
        ("person", "town"),
        np.array(shares),
        Habits(np.ones(3), np.ones((3, 3))),
        2,
        (1, 1),
    )


def test_a_tag_is_doubted_by_what_it_falls_short_of_its_labels_mean() -> None:
    zora = TaggedExample(text="Zora", entities=(Mention(0, 4, "person"),))
    milo = TaggedExample(text="Milo", entities=(Mention(0, 4, "person"),))
    ghent = TaggedExample(text="Ghent", entities=(Mention(0, 5, "town"),))
    found = doubts(
        [zora, milo, ghent],
        [
            votes("Zora", [0.5, 0.3, 0, 0.2, 0]),
            votes("Milo", [0.8, 0.1, 0, 0, 0.1]),
            votes("Ghent", [0.1, 0, 0.9, 0, 0]),
        ],
        IndexSettings(),
    )
    assert found == pytest.approx([0.3 - 0.5, 0.3 - 0.1, 0])


def test_words_that_are_entities_neither_by_tag_nor_by_votes_count_only_in_the_mean() -> None:
    tagged = TaggedExample(text="Zora juggles", entities=(Mention(0, 4, "person"),))
    missed = TaggedExample(text="Milo juggles")
    found = doubts(
        [tagged, missed],
        [
            votes("Zora juggles", [0.5, 0.5, 0, 0, 0], [0.9, 0.1, 0, 0, 0]),
            votes("Milo juggles", [0.3, 0.7, 0, 0, 0], [0.9, 0.1, 0, 0, 0]),
        ],
        IndexSettings(),
    )
    assert found == pytest.approx([0, (0.9 + 0.3 + 0.9) / 3 - 0.3])
