"""Contextual word vectors: one hidden layer of a transformer encoder, averaged over each chunk.

Every text goes through the model on its own, so its vectors cannot depend on its company; as many
do so at once as there are threads. A text longer than the window is encoded in overlapping windows,
and each subword takes its vector from the window in which it has most context. Text is data:
special tokens inside it are split like any other letters. Knows no index and no pack.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Semaphore
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError

from index.bundled import bundled_minilm, hash_file
from index.encoder import Floats, WordVectors, unit_rows
from index.subwords import SubwordReader, Subwords
from index.word_model import WordModel, load_encoder, load_tuned
from wraner.adapters import CONFIG, WEIGHTS
from wraner.errors import Unavailable

WINDOW_TOKENS = 254  # MiniLM was trained on 256 with its two marks; windows overlap by a quarter

_FORMAT = "contextual-2"

_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True, eq=False)
class Composition:
    """A text's unit vector, and how far each of its chunks moves it.

    The vector has the direction of a mean over subwords. A chunk's pull is the sum of its subwords'
    differences from that mean, over the number of all subwords, in units of the mean's length. So
    the pulls of all chunks and of the special tokens sum to zero; without a chunk of k subwords
    among n, the mean would be ``vector - pull * n / (n - k)``.

    *Shape:* ``vector`` (dimension,); ``pulls`` (n_chunks, dimension).
    """

    vector: Floats
    pulls: Floats


class ContextualEncoder:
    """Word vectors from layer `layer` (0: the embeddings) of the encoder in `folder`.

    Any folder that transformers can read as an encoder with a fast tokenizer will do; without one
    the bundled all-MiniLM-L6-v2 is used. Layers above `layer` are not loaded. A `tuning`, the
    folder of a tuned word encoder's weights, decides the layer itself. It computes on as many
    threads as torch has when it is made.

    Raises:
        Unavailable: the weights are missing or damaged, or the tuning is another encoder's.
        ValueError: not exactly one of layer and tuning is given, or the window does not fit.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        layer: int | None = None,
        tuning: Path | None = None,
        window_tokens: int = WINDOW_TOKENS,
    ) -> None:
        folder = bundled_minilm() if folder is None else folder
        self._reader, self._model = _load(folder, layer, tuning)
        marks = len(self._reader.before + self._reader.after)
        self._window = _window(self._model.encoder.config, window_tokens, marks)
        self._reading = Lock()  # the tokenizer is not made for several threads
        self._threads = torch.get_num_threads()
        self._free = Semaphore(self._threads)
        self._next = Lock()
        self._identity = _identity(folder, layer, self._window, tuning)

    @property
    def identity(self) -> str:
        """A hash of weights, tokenizer, layer, tuning and window."""
        return self._identity

    @property
    def dimension(self) -> int:
        """The model's hidden size."""
        return int(self._model.encoder.config.hidden_size)

    def encode(self, texts: Sequence[str]) -> list[WordVectors]:
        """Return the word vectors of each text.

        A chunk without any subword is a zero row, and so is each of a text that is not legible.
        """
        return self._each(self._average, texts)

    def sentences(self, texts: Sequence[str]) -> Floats:
        """Return each text's unit mean over its subwords and marks: sentence vectors, a control.

        *Shape:* (len(texts), dimension). At the last layer this is the way of the model's authors.
        """
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for number, composition in enumerate(self.compositions(texts)):
            rows[number] = composition.vector
        return rows

    def compositions(self, texts: Sequence[str]) -> list[Composition]:
        """Return the vectors of `sentences`, each with the pulls of the text's chunks.

        A subword that several chunks share is divided evenly among them.
        """
        return self._each(self._compose, texts)

    def _each(self, work: Callable[[Subwords], _Found], texts: Sequence[str]) -> list[_Found]:
        """Return what `work` finds of each text, in their order."""

        def one(text: str) -> _Found:
            with self._turn():  # text by text, so that a long build lets requests through
                with self._reading:
                    read = self._reader.read(text)
                return work(read)

        threads = min(self._threads, len(texts))
        if threads < 2:
            return [one(text) for text in texts]
        before = torch.get_num_threads()
        try:
            with ThreadPoolExecutor(threads, "encode", torch.set_num_threads, (1,)) as pool:
                return list(pool.map(one, texts))
        finally:
            torch.set_num_threads(before)  # libraries keep one number for all threads

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Wait until a thread is free: who comes back for more stands behind who waits."""
        with self._next:
            self._free.acquire()
        try:
            yield
        finally:
            self._free.release()

    def _compose(self, read: Subwords) -> Composition:
        pulls = np.zeros((len(read.chunks), self.dimension), np.float32)
        if not read.legible:
            return Composition(np.zeros(self.dimension, np.float32), pulls)
        short = len(read.ids) <= self._window
        whole = self._forward(read.ids, read.cases) if short else self._hidden(read)
        mean = whole.mean(0, keepdims=True)
        first = len(self._reader.before) if short else 0
        if read.ids:
            subwords, words = np.array(read.parts, np.int64).reshape(-1, 2).T
            holders = np.bincount(subwords)[subwords, None].astype(np.float32)
            np.add.at(pulls, words, (whole[first + subwords] - mean) / holders)
        pulls /= np.float32(len(whole) * np.linalg.norm(mean))
        return Composition(unit_rows(mean)[0], pulls)

    def _average(self, read: Subwords) -> WordVectors:
        sums = np.zeros((len(read.chunks), self.dimension), np.float32)
        if read.ids and read.legible:
            subwords, words = np.array(read.parts, np.int64).reshape(-1, 2).T
            np.add.at(sums, words, self._hidden(read)[subwords])
        return WordVectors(read.chunks, unit_rows(sums))

    def _hidden(self, read: Subwords) -> Floats:
        """Return the layer's rows for all subwords. *Shape:* (subwords, dimension)."""
        rows = np.zeros((len(read.ids), self.dimension), np.float32)
        for start, end, keep_start, keep_end in _windows(len(read.ids), self._window):
            window = self._forward(read.ids[start:end], read.cases[start:end])
            first = len(self._reader.before) + keep_start - start
            rows[keep_start:keep_end] = window[first : first + keep_end - keep_start]
        return rows

    def _forward(self, ids: list[int], cases: list[int]) -> Floats:
        before, after = self._reader.before, self._reader.after
        marked = torch.tensor([before + ids + after])
        written = torch.tensor([[0] * len(before) + cases + [0] * len(after)])
        with torch.inference_mode(), _one_thread():
            output = self._model(marked, written)
        rows: Floats = output[0].numpy()
        return rows


def _load(folder: Path, layer: int | None, tuning: Path | None) -> tuple[SubwordReader, WordModel]:
    if (layer is None) == (tuning is None):
        raise ValueError(f"expected a layer or a tuning, was: {layer} and {tuning}")
    try:
        reader = SubwordReader(folder)
        if tuning is not None:
            return reader, load_tuned(folder, tuning)
        assert layer is not None
        return reader, WordModel(load_encoder(folder, layer))
    except (OSError, ValueError, RuntimeError, AttributeError, SafetensorError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        tuned = "" if tuning is None else f", tuned by {tuning},"
        raise Unavailable(
            f"the word encoder in {folder}{tuned} cannot be loaded: {reason}"
        ) from error


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep this thread's work to itself.

    A sentence is too little to share: two threads beside another busy process took 25 times as
    long as one. Other threads of the process keep their setting.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _window(config: Any, wanted: int, marks: int) -> int:
    limit = int(getattr(config, "max_position_embeddings", 512)) - marks
    if not 4 <= wanted <= limit:
        raise ValueError(f"expected a window between 4 and {limit} tokens, was: {wanted}")
    return wanted


def _windows(length: int, size: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield windows (start, end) and the part (keep_start, keep_end) to take from each.

    The parts tile 0..length; neighbouring windows share a quarter of their size, split midway.
    """
    overlap = size // 4
    starts = [0]
    while starts[-1] + size < length:
        starts.append(min(starts[-1] + size - overlap, length - size))
    kept = 0
    for number, start in enumerate(starts):
        end = min(start + size, length)
        following = starts[number + 1] if number + 1 < len(starts) else None
        keep_end = length if following is None else (following + end) // 2
        yield start, end, kept, keep_end
        kept = keep_end


def _identity(folder: Path, layer: int | None, window: int, tuning: Path | None) -> str:
    names = ("*.safetensors", "*.bin", "config.json", "tokenizer*.json", "vocab*")
    files = sorted({path for name in names for path in folder.glob(name)})
    content = [(path.name, hash_file(path)) for path in files]
    tuned = [] if tuning is None else [hash_file(tuning / name) for name in (CONFIG, WEIGHTS)]
    key = [_FORMAT, content, tuned or layer, window]
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()
