from pathlib import Path

import numpy as np

from index.contextual import ContextualEncoder
from index.with_texts import WithTexts

TEXTS = ["ab c", "", "a b c d"]


def test_words_and_their_texts_come_from_an_encoder_each(tiny: Path) -> None:
    words, texts = (ContextualEncoder(tiny, layer=n, window_tokens=32) for n in (1, 2))
    both = WithTexts(words, texts)
    assert both.dimension == words.dimension
    sentences = texts.sentences(TEXTS)
    for found, alone, sentence in zip(
        both.encode(TEXTS), words.encode(TEXTS), sentences, strict=True
    ):
        assert found.chunks == alone.chunks
        assert np.array_equal(found.vectors, alone.vectors)
        assert np.array_equal(found.text, sentence)
        assert found.pulls.shape == (len(found.chunks), texts.dimension)


def test_what_moves_a_text_is_told_by_the_encoder_of_texts(tiny: Path) -> None:
    words, texts = (ContextualEncoder(tiny, layer=n, window_tokens=32) for n in (1, 2))
    for found, composed in zip(
        WithTexts(words, texts).encode(TEXTS), texts.compositions(TEXTS), strict=True
    ):
        assert np.array_equal(found.pulls, composed.pulls)


def test_identity_names_both(tiny: Path) -> None:
    one, two = (ContextualEncoder(tiny, layer=n, window_tokens=32) for n in (1, 2))
    names = {WithTexts(a, b).identity for a in (one, two) for b in (one, two)}
    assert len(names) == 4 and WithTexts(one, two).identity in names
