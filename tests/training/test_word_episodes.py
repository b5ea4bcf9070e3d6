"""Episodes: functions of seed and step; a split concerns the mentions of one type alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from index.encoder import Floats, unit_rows
from tests.training.towns import TRAIN_SENTENCES, write_towns
from tests.training.word_towns import town_supply, word_settings, write_tiny_bert
from training.word_episodes import Episode, Episodes, WordSupply
from training.word_sentences import WordSentence
from training.word_settings import WordSettings
from wraner.word_votes import OUTSIDE


@pytest.fixture(scope="module")
def supply(tmp_path_factory: pytest.TempPathFactory) -> WordSupply:
    folder = tmp_path_factory.mktemp("episodes")
    settings = word_settings(write_tiny_bert(folder / "bert"), write_towns(folder))
    return town_supply(settings, folder)


def settings(**changes: object) -> WordSettings:
    return word_settings(Path("bert"), Path("sources.yaml"), **changes)


def embedded(sentences: Sequence[WordSentence]) -> Floats:
    """Return vectors that depend on a word's letters alone."""
    rows = [
        np.bincount(s.ids[s.parts[s.parts[:, 1] == word, 0]], minlength=200)
        for s in sentences
        for word in range(len(s.tags))
    ]
    return unit_rows(np.array(rows, np.float32))


def refused(sentences: Sequence[WordSentence]) -> Floats:
    raise AssertionError("no type is split, so no vector is needed")


def same(one: Episode, other: Episode) -> bool:
    return one.sentences == other.sentences and one.tags.tolist() == other.tags.tolist()


def test_equal_seed_and_step_give_the_same_episode(supply: WordSupply) -> None:
    first, second = (Episodes([supply], settings(), untuned=embedded) for _ in range(2))
    second.step(1)
    np.random.default_rng().random()
    assert same(first.step(4), second.step(4))
    assert same(first.step(4), first.step(4))


def test_another_seed_or_step_gives_another_episode(supply: WordSupply) -> None:
    episodes = Episodes([supply], settings(), untuned=embedded)
    other = Episodes([supply], settings(seed=1), untuned=embedded)
    assert not same(episodes.step(1), episodes.step(2))
    assert not same(episodes.step(1), other.step(1))


def test_a_small_source_is_drawn_whole_and_no_sentence_twice(supply: WordSupply) -> None:
    episode = Episodes([supply], settings(sentences=500), untuned=embedded).step(1)
    assert len(episode.sentences) == len({id(s) for s in episode.sentences}) == TRAIN_SENTENCES


def test_sources_are_drawn_by_weight(supply: WordSupply) -> None:
    rare = WordSupply("rare", supply.sentences, 2, 0.25)
    never_split = settings(split_types=0, sentences=2)
    episodes = Episodes([supply, rare], never_split, untuned=refused)
    names = [episodes.step(n).source for n in range(300)]
    assert 0.13 < names.count("rare") / 300 < 0.27


def test_without_splits_the_tags_are_the_sentences_own(supply: WordSupply) -> None:
    episode = Episodes([supply], settings(split_types=0), untuned=refused).step(1)
    assert episode.tags.tolist() == [t for s in episode.sentences for t in s.tags]


def test_a_split_parts_the_mentions_of_one_type(supply: WordSupply) -> None:
    episodes = Episodes([supply], settings(split_types=1), untuned=embedded)
    split = 0
    for step in range(10):
        episode = episodes.step(step)
        own = np.concatenate([s.tags for s in episode.sentences])
        assert ((episode.tags == OUTSIDE) == (own == OUTSIDE)).all()
        for tag in set(episode.tags.tolist()):
            assert len(set(own[episode.tags == tag].tolist())) == 1
        split += len(set(episode.tags.tolist())) > len(set(own.tolist()))
    assert split


def test_all_words_of_a_mention_fall_into_one_group() -> None:
    def sentence(number: int) -> WordSentence:
        """Return an outside word and a mention of type 0 or 1, of three words."""
        kind = number % 2
        ids = np.array([1, 9, 10 + number, 30 + number, 50 + number, 2])
        parts = np.array([[1, 0], [2, 1], [3, 2], [4, 3]])
        tags = np.array([0, 1 + kind, 3 + kind, 3 + kind])
        return WordSentence(ids, 0 * ids, parts, tags, np.array([0, 1, 1, 1]))

    made = WordSupply("made", tuple(sentence(n) for n in range(20)), 2, 1.0)

    def random(sentences: Sequence[WordSentence]) -> Floats:
        rows = [np.random.default_rng(s.ids).normal(size=(4, 5)) for s in sentences]
        return unit_rows(np.concatenate(rows).astype(np.float32))

    chosen = settings(split_types=1, sentences=20)
    tags = Episodes([made], chosen, untuned=random).step(1).tags.reshape(20, 4)
    assert (tags[:, 0] == OUTSIDE).all()
    groups, within = np.divmod(tags[:, 1:] - 1, 5)
    assert (groups == groups[:, :1]).all() and (within[:, 1:] == within[:, :1] + 2).all()
    assert {len(set(groups[within[:, 0] == kind, 0].tolist())) for kind in (0, 1)} <= {2, 3}
