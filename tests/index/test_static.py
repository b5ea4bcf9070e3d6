from pathlib import Path

import numpy as np
import pytest
from gensim.models import KeyedVectors

from index.static import StaticEncoder, read_static, train_static
from wraner.chunks import chunk
from wraner.errors import Unavailable

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


def write(table: KeyedVectors, path: Path, form: str) -> Path:
    table.save_word2vec_format(
        str(path), binary=form == "word2vec-binary", write_header=form != "glove"
    )
    return path


@pytest.mark.parametrize("form", ["word2vec", "word2vec-binary", "glove"])
def test_files_are_recognised_and_read(table: KeyedVectors, tmp_path: Path, form: str) -> None:
    path = write(table, tmp_path / "vectors", form)
    encoder = read_static(path)
    (found,) = encoder.encode(["Goethe, 北 Rhine rhine"])
    direct = StaticEncoder(table, "x").encode(["Goethe, 北 Rhine rhine"])[0]
    assert encoder.dimension == 4
    assert np.allclose(found.vectors, direct.vectors, atol=1e-5)
    assert np.allclose(np.linalg.norm(found.vectors, axis=1), [1, 0, 1, 1, 0], atol=1e-6)
    assert read_static(path, form).identity == encoder.identity  # type: ignore[arg-type]


def test_glove_words_may_hold_spaces(tmp_path: Path) -> None:
    path = tmp_path / "glove.txt"
    path.write_text("Rhine 1 2\n. . . 3 4\nGoethe 5 6\n")
    assert read_static(path).encode(["Goethe"])[0].vectors[0] == pytest.approx([0.640, 0.768], 1e-3)


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"hello\n", b"5 3\nfoo 1 2 3\n", b"a 1 2\nb 1\n", b"\xba\x16\x4f\x2f\x0c"],
)
def test_damaged_files_are_unavailable(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "vectors"
    path.write_bytes(content)
    with pytest.raises(Unavailable, match="expected word vectors"):
        read_static(path)


def test_a_missing_file_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="nowhere"):
        read_static(tmp_path / "nowhere")


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


def test_fasttext_files_are_read(tmp_path: Path) -> None:
    from gensim.models import FastText
    from gensim.models.fasttext import save_facebook_model

    sentences = [[c.text for c in chunk(text)] for text in TEXTS]
    model = FastText(sentences, vector_size=8, min_count=1, bucket=100, epochs=1, workers=1)
    save_facebook_model(model, str(tmp_path / "model.bin"))
    (found,) = read_static(tmp_path / "model.bin").encode(["Weimar Weimarer"])
    (direct,) = StaticEncoder(model.wv, "x").encode(["Weimar Weimarer"])
    assert np.allclose(found.vectors, direct.vectors, atol=1e-5)


@pytest.mark.parametrize("text", STRANGE)
def test_every_text_gets_a_vector_per_chunk(table: KeyedVectors, text: str) -> None:
    for encoder in (StaticEncoder(table, "x"), train_static(TEXTS, dimension=8, epochs=1)):
        (found,) = encoder.encode([text])
        assert found.chunks == chunk(text)
        assert found.vectors.shape == (len(found.chunks), encoder.dimension)
        assert np.isfinite(found.vectors).all()
