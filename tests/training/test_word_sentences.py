"""Sentences as they are compared: words that count, tagged as where their neighbours vote."""

from pathlib import Path

import numpy as np
import pytest

from index.letter_case import LetterCase
from index.subwords import SubwordReader
from tests.training.word_towns import LABELS, word_settings, write_tiny_bert
from training.word_batches import batch_of
from training.word_sentences import WordSentence, read_sentences
from wraner.entities import Mention
from wraner.packs import TaggedExample


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> SubwordReader:
    return SubwordReader(write_tiny_bert(tmp_path_factory.mktemp("words") / "bert"))


def read(reader: SubwordReader, *examples: TaggedExample) -> tuple[WordSentence, ...]:
    settings = word_settings(Path("bert"), Path("sources.yaml"), longest_words=8)
    return read_sentences(examples, LABELS, reader=reader, settings=settings)


BO = TaggedExample(
    text="Bo, in Bad Ulm", entities=(Mention(0, 2, "person"), Mention(7, 14, "town"))
)


def test_words_that_count_are_tagged_and_marks_are_not_compared(reader: SubwordReader) -> None:
    (found,) = read(reader, BO)
    words = ["Bo", "in", "Bad", "Ulm"]
    counted = words if len(found.tags) == 4 else ["Bo", "Bad", "Ulm"]
    tags = {"Bo": 1, "in": 0, "Bad": 2, "Ulm": 4}
    mentions = {"Bo": 1, "in": 0, "Bad": 2, "Ulm": 2}
    assert found.tags.tolist() == [tags[w] for w in counted]
    assert found.mentions.tolist() == [mentions[w] for w in counted]


def test_each_part_is_a_subword_of_its_word(reader: SubwordReader) -> None:
    (found,) = read(reader, BO)
    letters = reader.read(BO.text)
    assert found.ids.tolist() == reader.before + letters.ids + reader.after
    assert found.cases[0] == found.cases[-1] == LetterCase.NOTHING
    for subword, word in found.parts:
        chunk = next(c for s, c in letters.parts if s == subword - len(reader.before))
        in_mention = found.tags[word] > 0
        assert in_mention == (letters.chunks[chunk].text in ("Bo", "Bad", "Ulm"))
        assert found.cases[subword] == (LetterCase.CAPITALISED if in_mention else LetterCase.LOWER)


def test_a_word_that_the_tokenizer_drops_is_not_compared(reader: SubwordReader) -> None:
    (found,) = read(reader, TaggedExample(text="Bo \x01 Ulm"))
    assert set(found.parts[:, 1]) == set(range(len(found.tags)))


def test_long_sentences_are_left_out(reader: SubwordReader) -> None:
    many_words = TaggedExample(text="Bo " * 9)
    many_subwords = TaggedExample(text="Bo " + "b" * 60)
    assert len(read(reader, many_words, BO, many_subwords)) == 1


def test_a_batch_is_padded_to_its_longest_and_keeps_words_apart(reader: SubwordReader) -> None:
    sentences = read(reader, BO, TaggedExample(text="Ann visits Ulm again"))
    batch = batch_of(sentences)
    longest = max(len(s.ids) for s in sentences)
    assert batch.ids.shape == (2, longest)
    assert batch.mask.sum(dim=1).tolist() == [len(s.ids) for s in sentences]
    counts = [len(s.tags) for s in sentences]
    assert batch.sentences.tolist() == np.repeat([0, 1], counts).tolist()
    flat = batch.ids.flatten()
    for number, s in enumerate(sentences):
        first = sum(counts[:number])
        for word in range(len(s.tags)):
            own = flat[batch.places[batch.words == first + word]].tolist()
            assert own == s.ids[s.parts[s.parts[:, 1] == word, 0]].tolist()
