"""Tagged sentences as a word encoder reads them: subwords, and the words that are compared.

Words count, and are tagged, as where their neighbours vote. Knows no weights and no schedule.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from index.settings import IndexSettings
from index.similarity import Ints, places_that_count
from index.subwords import SubwordReader
from index.word_votes import tags_of
from training.word_settings import WordSettings
from wraner.packs import TaggedExample
from wraner.word_votes import OUTSIDE


@dataclass(frozen=True, slots=True, eq=False)
class WordSentence:
    """A sentence's subwords, special tokens around it included, and its words that count.

    Tags are the columns of `wraner.word_votes.WordVotes`; mentions are numbered from 1, 0 being
    none. *Shape:* ``ids``, ``cases`` (n_subwords,); ``parts`` (n_parts, 2) pairs
    (subword, word) that share a character; ``tags``, ``mentions`` (n_words,).
    """

    ids: Ints
    cases: Ints
    parts: Ints
    tags: Ints
    mentions: Ints


def read_sentences(
    examples: Iterable[TaggedExample],
    labels: Sequence[str],
    *,
    reader: SubwordReader,
    settings: WordSettings,
) -> tuple[WordSentence, ...]:
    """Read a source's sentences, without those that the settings call too long.

    Raises:
        KeyError: a mention's label is not among `labels`.
    """
    columns = {label: 1 + number for number, label in enumerate(labels)}
    found = []
    for example in examples:
        read = reader.read(example.text)
        if len(read.chunks) > settings.longest_words or len(read.ids) > settings.longest_subwords:
            continue
        parts = np.array(read.parts, np.int64).reshape(-1, 2)
        counted, _ = places_that_count(read.chunks, IndexSettings())
        places = np.intersect1d(counted, parts[:, 1])  # the tokenizer may drop what counts
        tags = tags_of(read.chunks, example.entities, columns)
        begun = np.cumsum((tags > OUTSIDE) & (tags <= len(columns)))
        before, after = len(reader.before), len(reader.after)
        found.append(
            WordSentence(
                ids=np.array(reader.before + read.ids + reader.after, np.int64),
                cases=np.array([0] * before + read.cases + [0] * after, np.int64),
                parts=_of_words(parts, places) + np.array([before, 0]),
                tags=tags[places],
                mentions=np.where(tags > OUTSIDE, begun, 0)[places],
            )
        )
    return tuple(found)


def _of_words(parts: Ints, places: Ints) -> Ints:
    """Return the pairs (subword, word), words being the chunks at `places`."""
    kept = parts[np.isin(parts[:, 1], places)]
    return np.stack([kept[:, 0], np.searchsorted(places, kept[:, 1])], axis=1)
