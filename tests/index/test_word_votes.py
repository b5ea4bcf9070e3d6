from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from index.encoders import Encoders
from index.generations import Generation, build
from index.local import LocalRetriever
from index.settings import IndexSettings
from index.similarity import from_grid, to_grid
from index.word_votes import TaggedWords, VoteSettings, count_votes, tagged_words_of, tags_of
from wraner.chunks import chunk
from wraner.entities import Mention
from wraner.packs import Domain, EntityType, TaggedExample, version
from wraner.retrieval import PackRef
from wraner.tagging import tag
from wraner.word_votes import OUTSIDE, WordVotes

SETTINGS = IndexSettings()
NAMES = ("Ada", "Bo", "Cy", "Di", "Ed")


def example(number: int) -> TaggedExample:
    who = NAMES[number % len(NAMES)]
    text = f"{who} Grey sailed to Oslo, ship {number}."
    at = text.index("Oslo")
    entities = (Mention(0, len(who) + 5, "person"), Mention(at, at + 4, "city"))
    return TaggedExample(id=f"e{number}", text=text, entities=entities)


def domain(*numbers: int) -> Domain:
    types = (EntityType(name="person"), EntityType(name="city"))
    return Domain(entity_types=types, examples=tuple(example(n) for n in numbers))


def tagged(generation: Generation, settings: IndexSettings = SETTINGS) -> TaggedWords:
    examples = [
        [TaggedExample.model_validate_json(e.record) for e in part.segment.entries]
        for part in generation.parts
    ]
    return tagged_words_of(generation, examples, settings)


def votes_on(
    text: str,
    generation: Generation,
    encoder: Any,
    settings: IndexSettings = SETTINGS,
    **exclude: Any,
) -> WordVotes:
    words = tagged(generation, settings)
    (encoded,) = encoder.encode([text])
    return count_votes(generation, words, encoded, settings, VoteSettings(5, 0.05), **exclude)


@pytest.fixture
def encoder(make_encoder: Callable[[], Any]) -> Any:
    return make_encoder()


def test_equal_words_vote_for_their_tags(encoder: Any) -> None:
    text = "Cy Grey met Bo Grey in Oslo."
    votes = votes_on(text, build(domain(*range(12)), Encoders.same(encoder), SETTINGS), encoder)
    found = [(e.text, e.label) for e in tag(text, votes)]
    assert found == [("Cy Grey", "person"), ("Bo Grey", "person"), ("Oslo", "city")]
    assert votes.examples == 12


@pytest.mark.parametrize("kind", ["flat", "ivf_sq8"])
def test_shares_are_a_softmax_over_words_and_their_texts(encoder: Any, kind: Any) -> None:
    settings = IndexSettings(kind=kind)
    votes = VoteSettings(neighbours=7, temperature=0.1, text_share=0.4)
    generation = build(domain(*range(6)), Encoders.same(encoder), settings)
    (part,) = generation.parts
    words = tagged(generation)
    (asked,) = encoder.encode(["Ada Grey left Oslo"])
    found = count_votes(generation, words, asked, settings, votes)
    owners = np.repeat(np.arange(6), np.diff(part.segment.offsets))
    for place in range(4):
        near = 0.6 * from_grid(part.segment.vectors) @ from_grid(to_grid(asked.vectors[place]))
        near += 0.4 * (from_grid(part.segment.texts) @ from_grid(to_grid(asked.text)))[owners]
        heard = near >= np.sort(near)[-7]
        cast = np.where(heard, np.exp((near - near.max()) / 0.1), 0)
        shares = np.bincount(words.tags[0], cast, minlength=5) / cast.sum()
        np.testing.assert_allclose(found.shares[place], shares, atol=1e-6)


def test_votes_are_equal_after_edits_and_in_a_fresh_build(encoder: Any) -> None:
    first = build(domain(*range(600)), Encoders.same(encoder), SETTINGS)
    edited = build(domain(*range(10, 605)), Encoders.same(encoder), SETTINGS, first)
    fresh = build(domain(*range(10, 605)), Encoders.same(encoder), SETTINGS)
    assert len(edited.parts) > len(fresh.parts)
    text = "Ed Grey left Bergen, ship 3."
    one, other = (votes_on(text, g, encoder) for g in (edited, fresh))
    assert np.array_equal(one.shares, other.shares)
    assert np.array_equal(one.habits.following, other.habits.following)


def test_a_label_that_no_example_has_any_more_is_not_voted_on(encoder: Any) -> None:
    ship = TaggedExample(id="s", text="The Fram left.", entities=(Mention(4, 8, "ship"),))
    people = domain(*range(20))
    types = (*people.entity_types, EntityType(name="ship"))
    before = people.model_copy(update={"entity_types": types, "examples": (*people.examples, ship)})
    after = before.model_copy(update={"examples": people.examples})
    first = build(before, Encoders.same(encoder), SETTINGS)
    edited = build(after, Encoders.same(encoder), SETTINGS, first)
    assert any(part.gone for part in edited.parts)
    assert votes_on("The Fram left.", first, encoder).labels == ("city", "person", "ship")
    fresh = build(after, Encoders.same(encoder), SETTINGS)
    for generation in (edited, fresh):
        votes = votes_on("The Fram left.", generation, encoder)
        assert votes.labels == ("city", "person") and votes.mentions == (20, 20)


def test_excluded_examples_do_not_vote(encoder: Any) -> None:
    generation = build(domain(0, 1, 2, 3), Encoders.same(encoder), SETTINGS)
    without = build(domain(0, 1, 2), Encoders.same(encoder), SETTINGS)
    words = tagged(without)
    (encoded,) = encoder.encode(["Di"])
    expected = count_votes(without, words, encoded, SETTINGS, VoteSettings())
    votes = count_votes(
        generation, tagged(generation), encoded, SETTINGS, VoteSettings(), exclude=["e3"]
    )
    assert np.array_equal(votes.shares, expected.shares)


def test_nobody_left_to_vote_says_what_marks_say(encoder: Any) -> None:
    generation = build(domain(0), Encoders.same(encoder), SETTINGS)
    votes = votes_on("Ada Grey", generation, encoder, exclude=["e0"])
    assert tag("Ada Grey", votes) == ()


def test_a_large_segment_votes_with_proposed_examples(encoder: Any) -> None:
    settings = IndexSettings(kind="ivf_sq8")
    generation = build(domain(*range(40)), Encoders.same(encoder), settings)
    votes = votes_on("Ada Grey is in Oslo.", generation, encoder, settings)
    assert [e.label for e in tag("Ada Grey is in Oslo.", votes)] == ["person", "city"]


@pytest.mark.parametrize("text", ["", "?!"])
def test_a_text_without_words_has_votes_on_its_marks(text: str, encoder: Any) -> None:
    votes = votes_on(text, build(domain(0, 1), Encoders.same(encoder), SETTINGS), encoder)
    assert len(votes.words) == len(text)
    np.testing.assert_allclose(votes.shares.sum(axis=1), 1)


def test_the_retriever_counts_votes_when_told_to(encoder: Any) -> None:
    pack = PackRef(version(domain(0, 1)), inline=domain(0, 1))
    for settings in (None, VoteSettings()):
        retriever = LocalRetriever(Encoders.same(encoder), SETTINGS, votes=settings)
        (near,) = retriever.neighbours_now(pack, ["Ada Grey"], 0)
        assert near.neighbours == ()
        assert (near.votes is None) == (settings is None)


@given(st.data())
def test_tags_are_those_of_the_words_inside(data: st.DataObject) -> None:
    text = data.draw(st.text("ab .,-é世", max_size=30))
    chunks = chunk(text)
    at = st.integers(0, len(text))
    spans = data.draw(st.lists(st.tuples(at, at, st.sampled_from("xy")), max_size=4))
    mentions = [Mention(min(a, b), max(a, b), label) for a, b, label in spans]
    columns = {"x": 1, "y": 2}
    expected = [OUTSIDE] * len(chunks)
    for m in mentions:
        inside = [i for i, c in enumerate(chunks) if m.start <= c.start and c.end <= m.end]
        for place, i in enumerate(inside):
            expected[i] = columns[m.label] + (len(columns) if place else 0)
    assert tags_of(chunks, mentions, columns).tolist() == expected
