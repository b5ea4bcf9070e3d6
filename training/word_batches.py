"""Sentences as one run of a word model, and the vectors of their words. Knows no tags."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from index.encoder import Floats
from index.word_model import WordModel
from training.word_sentences import WordSentence


@dataclass(frozen=True, slots=True, eq=False)
class WordBatch:
    """Sentences side by side, padded to the longest.

    *Shape:* ``ids``, ``cases``, ``mask`` (n_sentences, longest); ``places`` (n_parts,) of subwords
    among all rows, ``words`` (n_parts,) the words that they are part of; ``sentences`` (n_words,).
    """

    ids: torch.Tensor
    cases: torch.Tensor
    mask: torch.Tensor
    places: torch.Tensor
    words: torch.Tensor
    sentences: torch.Tensor


def batch_of(sentences: Sequence[WordSentence]) -> WordBatch:
    """Put sentences into a batch."""
    longest = max(len(s.ids) for s in sentences)
    ids, cases, mask = (np.zeros((len(sentences), longest), np.int64) for _ in range(3))
    parts, first_word = [], 0
    for row, s in enumerate(sentences):
        ids[row, : len(s.ids)] = s.ids
        cases[row, : len(s.ids)] = s.cases
        mask[row, : len(s.ids)] = 1
        parts.append(s.parts + np.array([row * longest, first_word]))
        first_word += len(s.tags)
    places, words = torch.from_numpy(np.concatenate(parts)).t().contiguous()
    counts = [len(s.tags) for s in sentences]
    return WordBatch(
        ids=torch.from_numpy(ids),
        cases=torch.from_numpy(cases),
        mask=torch.from_numpy(mask),
        places=places,
        words=words,
        sentences=torch.from_numpy(np.repeat(np.arange(len(sentences)), counts)),
    )


def word_vectors(model: WordModel, batch: WordBatch) -> torch.Tensor:
    """Return the unit vector of each word, the mean of its subwords. *Shape:* (n_words, width).

    The model computes in bf16 and fp32, as autocast has it.
    """
    with torch.autocast("cpu", torch.bfloat16):
        rows = model(batch.ids, batch.cases, batch.mask)
    rows = rows.flatten(0, 1).float()
    sums = rows.new_zeros(len(batch.sentences), rows.shape[1])
    return torch.nn.functional.normalize(sums.index_add(0, batch.words, rows[batch.places]), dim=1)


@torch.no_grad()
def untuned_vectors(model: WordModel, sentences: Sequence[WordSentence]) -> Floats:
    """Return the words' vectors in a model that is not trained. *Shape:* (n_words, width)."""
    vectors: Floats = word_vectors(model, batch_of(sentences)).numpy()
    return vectors
