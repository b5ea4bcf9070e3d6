import numpy as np
import pytest
from gensim.models import KeyedVectors

from index.static import StaticEncoder, train_static
from wraner.chunks import chunk

TEXTS = [
    "Goethe lived in Weimar .",
    "The Rhine flows past Strasbourg .",
    "Weimar lies in Thuringia",
]
STRANGE = ["", " ", "😀 我在北京 مرحبا", "a\x00b \ud800", "[SEP] <|im_end|>", "e\u0301 " * 900]


@pytest.fixture(scope="module")
def table() -> KeyedVectors:
    vectors = KeyedVectors(4)
    rows = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    vectors.add_vectors(["goethe", "Rhine", "北"], rows)
    return vectors


def test_words_are_looked_up_as_written_then_in_lower_case(table: KeyedVectors) -> None:
    encoder = StaticEncoder(table, "x")
    (found,) = encoder.encode(["Goethe, 北 Rhine rhine"])
    assert encoder.dimension == 4
    assert np.allclose(np.linalg.norm(found.vectors, axis=1), [1, 0, 1, 1, 0], atol=1e-6)
    for row, word in ((0, "goethe"), (2, "北"), (3, "Rhine")):
        expected = table[word] / np.linalg.norm(table[word])
        assert np.allclose(found.vectors[row], expected, atol=1e-6)


def test_fasttext_is_trained_the_same_from_the_same_texts() -> None:
    first, second = (train_static(TEXTS, dimension=8, epochs=2) for _ in range(2))
    assert first.identity == second.identity
    assert first.identity != train_static(TEXTS[:2], dimension=8, epochs=2).identity
    with pytest.raises(ValueError, match="at least one text"):
        train_static(["", " "])


def test_fasttext_builds_unknown_words_from_letters() -> None:
    encoder = train_static(TEXTS, dimension=8, epochs=2)
    (found,) = encoder.encode(["Weimarer"])
    assert np.linalg.norm(found.vectors[0]) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("text", STRANGE)
def test_every_text_gets_a_vector_per_chunk(table: KeyedVectors, text: str) -> None:
    for encoder in (StaticEncoder(table, "x"), train_static(TEXTS, dimension=8, epochs=1)):
        (found,) = encoder.encode([text])
        assert found.chunks == chunk(text)
        assert found.vectors.shape == (len(found.chunks), encoder.dimension)
        assert np.isfinite(found.vectors).all()
