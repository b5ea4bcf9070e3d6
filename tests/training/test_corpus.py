"""A corpus: everything is there once, neighbours come from the same store, the cache is used."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.conftest import LetterEncoder
from training.corpus import Corpus, StoreSettings, open_corpus
from wraner.entities import Mention
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


def test_those_with_the_same_words_are_known(
    sentences: list[TaggedExample], tmp_path: Path
) -> None:
    loud = TaggedExample(id="loud", text=f"{sentences[0].text.upper()}!")
    mixed = one_store([loud, *sentences[:9]], tmp_path)
    same = {mixed.example(i).id: mixed.same(i) for i in range(len(mixed))}
    assert len(same["loud"]) == 2 and same["loud"] == same[sentences[0].id]
    for number in range(len(mixed)):
        assert number in mixed.same(number)
        assert len(mixed.same(number)) == 1 or mixed.same(number) == same["loud"]


def one_store(examples: list[TaggedExample], cache: Path) -> Corpus:
    settings = StoreSettings(smallest=len(examples), largest=len(examples), kept=4)
    return open_corpus("towns", examples, LetterEncoder(), cache=cache, settings=settings)


def spoilt(example: TaggedExample, *labels: str | None) -> TaggedExample:
    """Return an example whose mentions have other labels, or are gone where that is None."""
    mentions = tuple(
        replace(m, label=label) for m, label in zip(example.entities, labels, strict=True) if label
    )
    return example.model_copy(update={"entities": mentions})


@pytest.mark.parametrize("labels", [("town", "person"), ("person", "person"), (None, None)])
def test_a_sentence_that_is_tagged_wrongly_is_doubted_most(
    sentences: list[TaggedExample], tmp_path: Path, labels: tuple[str | None, str | None]
) -> None:
    first, *rest = sentences
    found = one_store([spoilt(first, *labels), *rest], tmp_path)
    doubts = found.doubts(0)
    assert list(doubts) == list(range(len(sentences)))
    ranked = sorted(doubts, key=doubts.__getitem__, reverse=True)
    assert found.example(ranked[0]).text == first.text
    assert doubts[ranked[0]] > doubts[ranked[1]] + 0.2


def test_a_word_that_others_have_outside_is_doubted(
    sentences: list[TaggedExample], tmp_path: Path
) -> None:
    first, *rest = sentences
    at = first.text.index("again")
    more = (*first.entities, Mention(at, at + len("again"), "town"))
    found = one_store([first.model_copy(update={"entities": more}), *rest], tmp_path)
    doubts = found.doubts(0)
    assert found.example(max(doubts, key=doubts.__getitem__)).text == first.text


def test_duplicates_do_not_vouch_for_each_other(
    sentences: list[TaggedExample], tmp_path: Path
) -> None:
    first, *rest = sentences
    wrong = spoilt(first, "town", "person")
    twins = [
        TaggedExample(id=f"twin {n}", text=f"{first.text}{'!' * n}", entities=wrong.entities)
        for n in range(1, 40)
    ]
    found = one_store([wrong, *twins, *rest], tmp_path)
    doubts = {found.example(n).id: doubt for n, doubt in found.doubts(0).items()}
    assert min(doubts[e.id] for e in (wrong, *twins)) > max(doubts[e.id] for e in rest)


def test_what_says_nothing_of_entities_is_not_doubted(
    sentences: list[TaggedExample], tmp_path: Path
) -> None:
    nothing = TaggedExample(id="nothing", text="Zzz zzz zzz.")
    others = [TaggedExample(text=f"Zzz zzz {'z' * n}.") for n in range(4, 40)]
    found = one_store([nothing, *others, *sentences], tmp_path)
    doubts = {found.example(n).id: doubt for n, doubt in found.doubts(0).items()}
    assert doubts["nothing"] == 0


def test_doubts_are_those_of_the_own_store(corpus: Corpus) -> None:
    for number in range(len(corpus)):
        start, end = corpus.store(number)
        assert list(corpus.doubts(number)) == list(range(start, end))


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
    said: list[str] = []
    found = open_corpus(
        "towns", [long, *sentences], LetterEncoder(), cache=tmp_path, settings=settings,
        say=said.append,
    )  # fmt: skip
    assert said[0] == "towns: 1 left out as longer than 96 words"
    assert len(found) == 30
    assert long.text not in {found.example(i).text for i in range(30)}
