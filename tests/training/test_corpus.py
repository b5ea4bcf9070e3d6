"""A corpus: everything is there once, neighbours come from the same store, the cache is used."""

from pathlib import Path

import pytest

from tests.training.conftest import LetterEncoder
from training.corpus import Corpus, StoreSettings, open_corpus
from wraner.packs import TaggedExample

SETTINGS = StoreSettings(smallest=8, largest=20, kept=4)


def test_every_sentence_is_there_with_its_entities(
    corpus: Corpus, sentences: list[TaggedExample]
) -> None:
    found = {corpus.example(i).text: corpus.example(i) for i in range(len(corpus))}
    assert found == {s.text: s for s in sentences}


def test_neighbours_come_from_the_same_store_and_are_never_the_sentence(corpus: Corpus) -> None:
    stores = set()
    for number in range(len(corpus)):
        start, end = corpus.store(number)
        stores.add((start, end))
        near = corpus.neighbours(number)
        assert len(near) == 4 and number not in near
        assert all(start <= i < end for i in near)
    assert len(stores) > 1
    assert sum(end - start for start, end in stores) == len(corpus)
    assert all(end - start >= SETTINGS.smallest for start, end in stores)


def test_the_nearest_shares_words(corpus: Corpus) -> None:
    words = [set(corpus.example(i).text.split()) for i in range(len(corpus))]
    shared = [len(words[i] & words[corpus.neighbours(i)[0]]) for i in range(len(corpus))]
    assert sum(shared) / len(shared) > 2.5  # by chance 1.9 of 4


def test_a_duplicate_is_never_a_neighbour(sentences: list[TaggedExample], tmp_path: Path) -> None:
    first, other, *rest = sentences
    again = [
        TaggedExample(id="again", text=first.text, entities=first.entities),
        TaggedExample(id="loud", text=f"{first.text.upper()}!", entities=first.entities),
    ]
    settings = StoreSettings(smallest=8, largest=20, kept=60)  # more than a store holds
    mixed = open_corpus(
        "towns",
        [first, *again, other, *rest[:9]],
        LetterEncoder(),
        cache=tmp_path,
        settings=settings,
    )
    assert len({tuple(mixed.store(i)) for i in range(len(mixed))}) == 1
    same = {first.id, "again", "loud"}
    for number in range(len(mixed)):
        own = mixed.example(number).id
        near = {mixed.example(i).id for i in mixed.neighbours(number)}
        everything = {mixed.example(i).id for i in range(len(mixed))}
        assert near == everything - (same if own in same else {own})


class Refuses:
    """An encoder that must not be asked."""

    identity, dimension = LetterEncoder.identity, LetterEncoder.dimension

    def encode(self, texts: object) -> list[object]:
        raise AssertionError("expected the cache to be read")


def test_a_corpus_is_indexed_once(sentences: list[TaggedExample], tmp_path: Path) -> None:
    first = open_corpus("towns", sentences, LetterEncoder(), cache=tmp_path, settings=SETTINGS)
    again = open_corpus("towns", sentences, Refuses(), cache=tmp_path, settings=SETTINGS)  # type: ignore[arg-type]
    assert [first.neighbours(i) for i in range(len(first))] == [
        again.neighbours(i) for i in range(len(again))
    ]
    with pytest.raises(AssertionError):
        open_corpus("towns", sentences[1:], Refuses(), cache=tmp_path, settings=SETTINGS)  # type: ignore[arg-type]
    assert len(list(tmp_path.iterdir())) == 1, "what failed left nothing"


def test_long_sentences_and_those_beyond_the_limit_are_left_out(
    sentences: list[TaggedExample], tmp_path: Path
) -> None:
    long = TaggedExample(text="word " * 97)
    settings = StoreSettings(smallest=8, largest=20, kept=4, sentences=30)
    found = open_corpus(
        "towns", [long, *sentences], LetterEncoder(), cache=tmp_path, settings=settings
    )
    assert len(found) == 30
    assert long.text not in {found.example(i).text for i in range(30)}
