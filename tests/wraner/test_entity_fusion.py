from dataclasses import replace

import numpy as np
import pytest

from wraner.entities import Entity, Mention, Span
from wraner.entity_fusion import FAST, SHIPPED, EntityFusion, candidates
from wraner.word_votes import Habits, WordVotes

TEXT = "aa bb cc"
HABITS = Habits(
    np.array([0.6, 0.3, 0.1]), np.array([[0.6, 0.4, 0.0], [0.6, 0.3, 0.1], [0.6, 0.3, 0.1]])
)
TRUSTS_BOTH = EntityFusion((1.0, 0.5, 0.0, -1.0, 1.0, 0.0), threshold=0.5)


def votes_of(
    shares: list[list[float]], examples: int = 100, mentions: tuple[int, int] = (9, 9)
) -> WordVotes:
    rows = np.array(shares)
    words = tuple(Span(3 * i, 3 * i + 2) for i in range(len(rows)))
    return WordVotes(words, ("city", "person"), rows, HABITS, examples, mentions)


OUTSIDE, CITY, PERSON = [1.0, 0, 0, 0, 0], [0, 1.0, 0, 0, 0], [0, 0, 1.0, 0, 0]


def named(start: int, end: int, label: str, score: float = 0.5) -> Entity:
    return Entity(start, end, TEXT[start:end], label, score)


def fused(found: list[Entity], votes: WordVotes) -> list[tuple[int, int, str]]:
    return [(e.start, e.end, e.label) for e in TRUSTS_BOTH.fuse(TEXT, found, votes)]


def test_what_votes_contradict_is_dropped_relabelled_or_added() -> None:
    votes = votes_of([OUTSIDE, CITY, PERSON])
    found = [named(0, 2, "city"), named(3, 5, "person")]
    assert fused(found, votes) == [(3, 5, "city"), (6, 8, "person")]


def test_what_votes_confirm_stays_with_a_higher_score() -> None:
    votes = votes_of([CITY, OUTSIDE, OUTSIDE])
    (alone,) = TRUSTS_BOTH.fuse(TEXT, [], votes)
    (both,) = TRUSTS_BOTH.fuse(TEXT, [named(0, 2, "city")], votes)
    assert both.score > alone.score > 0.5


def test_a_label_without_examples_cannot_be_voted_down() -> None:
    entity = named(0, 2, "month")
    assert TRUSTS_BOTH.fuse(TEXT, [entity], votes_of([OUTSIDE] * 3)) == (entity,)


def test_a_small_pack_has_no_vote() -> None:
    found = [named(0, 2, "city")]
    assert TRUSTS_BOTH.fuse(TEXT, found, votes_of([OUTSIDE] * 3, examples=4)) == tuple(found)


def test_votes_settle_what_the_examples_show_often_enough_where_they_may() -> None:
    fast = replace(TRUSTS_BOTH, enough_mentions=2)
    few = votes_of([CITY], mentions=(2, 1))
    assert fast.settles(few, ["city"])
    assert not fast.settles(few, ["city", "person"])
    assert not fast.settles(few, ["month"])
    assert not fast.settles(votes_of([CITY], examples=4), ["city"])
    assert not TRUSTS_BOTH.settles(few, ["city"])


def test_the_fast_one_differs_from_what_ships_in_asking_the_model_less() -> None:
    assert SHIPPED.enough_mentions is None
    assert replace(FAST, enough_mentions=None) == SHIPPED


def test_features_say_what_the_model_named() -> None:
    found = [named(0, 5, "city"), named(6, 8, "city")]
    votes = votes_of([CITY, CITY, CITY])
    by_mention = {c.mention: c.features for c in candidates(TEXT, found, votes)}
    assert by_mention[Mention(0, 5, "city")][:4] == (1.0, 0.0, 0.0, 0.0)
    assert by_mention[Mention(0, 5, "person")][:4] == (0.0, 0.0, 1.0, 0.0)
    assert by_mention[Mention(0, 2, "city")][:4] == (0.0, 0.0, 0.0, 1.0)
    assert Mention(6, 8, "person") in by_mention


def test_weights_must_fit_the_features() -> None:
    with pytest.raises(ValueError, match=r"expected a weight for each of named, .* was: \(1.0,\)"):
        EntityFusion((1.0,), threshold=0.5)


def test_a_long_name_in_an_unspaced_script_is_a_candidate() -> None:
    name = "中华人民共和国国家发展和改革委员会"
    inside = [[0.01, 0.0, 0.0, 0.99, 0.0]] * (len(name) - 1)
    votes = replace(
        votes_of([[0.01, 0.99, 0.0, 0.0, 0.0], *inside]),
        words=tuple(Span(n, n + 1) for n in range(len(name))),
    )
    assert Mention(0, len(name), "city") in {c.mention for c in candidates(name, [], votes)}
