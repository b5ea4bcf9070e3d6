"""Types parted: every mention in one part of its type, alike ones together, examples tell which."""

import numpy as np
import pytest

from tests.training.conftest import PEOPLE, PLACES, TYPES, LetterEncoder
from training.corpus import Corpus
from training.type_parts import WIDTH, Mentions, drawn_parts, mention_points
from wraner.entities import Mention
from wraner.packs import TaggedExample


def said(corpus: Corpus, number: int) -> list[tuple[str, str]]:
    example = corpus.example(number)
    return [(example.text[m.start : m.end], m.label) for m in example.entities]


def test_a_corpus_knows_its_mentions_by_type_and_by_what_they_are_like(corpus: Corpus) -> None:
    mentions = corpus.mentions
    every = [(n, words, label) for n in range(len(corpus)) for words, label in said(corpus, n)]
    assert [mentions.labels[t] for t in mentions.types] == [label for *_, label in every]
    assert [(mentions.firsts <= i).sum() - 1 for i in range(len(every))] == [n for n, *_ in every]
    assert mentions.points.shape == (len(every), WIDTH)
    points: dict[str, set[bytes]] = {}
    for (_, words, _), point in zip(every, mentions.points, strict=True):
        points.setdefault(words, set()).add(point.tobytes())
    assert {len(found) for found in points.values()} == {1}, "the same words, the same point"
    assert len(set.union(*points.values())) == len(PEOPLE) + len(PLACES)


def test_a_point_is_made_of_the_words_inside_a_mention() -> None:
    both = TaggedExample(text="Ann Bo left.", entities=(Mention(0, 6, "person"),))
    one = TaggedExample(text="Ann Bo left.", entities=(Mention(0, 3, "person"),))
    (read,) = LetterEncoder().encode([both.text])
    whole, first = mention_points(both, read), mention_points(one, read)
    assert np.allclose(np.linalg.norm(whole, axis=1), 1) and not np.allclose(whole, first)
    assert mention_points(TaggedExample(text="Nobody."), read).shape == (0, WIDTH)


@pytest.mark.parametrize("seed", range(5))
def test_each_mention_has_one_part_and_the_same_words_the_same(corpus: Corpus, seed: int) -> None:
    parts = drawn_parts(np.random.default_rng(seed), corpus.mentions, 1.0)
    assert set(parts.names) == {"person", "town"}
    shown: dict[str, set[str]] = {}
    for number in range(len(corpus)):
        example = parts.tagged(number, corpus.example(number))
        assert example.text == corpus.example(number).text
        for m, (words, label) in zip(example.entities, said(corpus, number), strict=True):
            assert m.label in parts.names[label]
            shown.setdefault(words, set()).add(m.label)
    assert {len(names) for names in shown.values()} == {1}
    used = set.union(*shown.values())
    assert used == {name for names in parts.names.values() for name in names}
    assert len(used) > len(TYPES)


def test_one_part_keeps_the_sheet_and_the_others_have_names_alone(corpus: Corpus) -> None:
    parts = drawn_parts(np.random.default_rng(1), corpus.mentions, 1.0)
    types = parts.types(TYPES)
    assert [t for t in types if t.definition] == list(TYPES)
    others = [t.name for t in types if not t.definition]
    assert others and all(name.startswith("type ") for name in others)
    assert len(set(others)) == len(others)
    assert not any(t.synonyms or t.paraphrases for t in types if not t.definition)


def test_nothing_is_drawn_or_changed_with_probability_0(corpus: Corpus) -> None:
    rng, untouched = np.random.default_rng(3), np.random.default_rng(3)
    parts = drawn_parts(rng, corpus.mentions, 0.0)
    assert rng.random() == untouched.random()
    assert parts.types(TYPES) == list(TYPES)
    assert parts.tagged(0, corpus.example(0)) == corpus.example(0)


def test_types_of_few_mentions_stay_whole() -> None:
    few = Mentions(("person",), np.arange(7), np.zeros(7, np.int64), np.eye(7, 32, dtype="f4"))
    assert not drawn_parts(np.random.default_rng(0), few, 1.0).names


def test_more_types_than_letters_can_name_stay_whole() -> None:
    rng = np.random.default_rng(0)
    labels = tuple(f"kind {i:02d}" for i in range(20))
    points = rng.standard_normal((400, WIDTH), dtype=np.float32)
    many = Mentions(labels, np.arange(400), np.arange(400) % 20, points)
    names = drawn_parts(rng, many, 1.0).names
    assert set(names) == set(labels[:13])
    others = [name for parts in names.values() for name in parts[1:]]
    assert len(set(others)) == len(others)
