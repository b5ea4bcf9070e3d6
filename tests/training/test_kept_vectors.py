"""Vectors on disk: texts are read once, by one encoder, and again where the file is damaged."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from training.kept_vectors import Vectors, kept_vectors

TEXTS = ("Filth.", "A fine day.", "Mud.")


class Reading:
    """An encoder that remembers what it was asked."""

    def __init__(self, identity: str = "one") -> None:
        self.identity = identity
        self.asked: list[tuple[str, ...]] = []

    def sentences(self, texts: Sequence[str]) -> Vectors:
        self.asked.append(tuple(texts))
        return np.array([[len(t), 1.0] for t in texts], np.float32)


def test_texts_are_read_once_and_said_to_be(tmp_path: Path) -> None:
    encoder, said = Reading(), []
    found = [
        kept_vectors(encoder, TEXTS, tmp_path / "new", lambda: said.append(1)) for _ in range(2)
    ]
    assert encoder.asked == [TEXTS] and said == [1]
    assert found[0].dtype == np.float32 and np.array_equal(found[0], found[1])
    assert [file.suffix for file in (tmp_path / "new").iterdir()] == [".npy"]


@pytest.mark.parametrize(
    ("identity", "texts"),
    [("other", TEXTS), ("one", TEXTS[::-1]), ("one", TEXTS[:2]), ("one", ("Filth.A fine day.",))],
)
def test_other_texts_and_other_encoders_have_vectors_of_their_own(
    tmp_path: Path, identity: str, texts: tuple[str, ...]
) -> None:
    kept_vectors(Reading(), TEXTS, tmp_path)
    encoder = Reading(identity)
    assert kept_vectors(encoder, texts, tmp_path)[:, 0].tolist() == [len(t) for t in texts]
    assert encoder.asked == [texts]


@pytest.mark.parametrize("left", [0, 40, 140])
def test_a_damaged_file_is_written_anew(tmp_path: Path, left: int) -> None:
    kept = kept_vectors(Reading(), TEXTS, tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:left])
    assert np.array_equal(kept_vectors(Reading(), TEXTS, tmp_path), kept)
    assert file.read_bytes() == whole


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    class Failing(Reading):
        def sentences(self, texts: Sequence[str]) -> Vectors:
            raise MemoryError

    with pytest.raises(MemoryError):
        kept_vectors(Failing(), TEXTS, tmp_path)
    assert list(tmp_path.iterdir()) == []
