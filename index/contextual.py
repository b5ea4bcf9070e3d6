"""Contextual word vectors: one hidden layer of a transformer encoder, averaged over each chunk.

Every text goes through the model on its own, so its vectors cannot depend on its company. A text
longer than the window is encoded in overlapping windows, and each subword takes its vector from
the window in which it has most context. Text is data: special tokens inside it are split like any
other letters. Knows no index and no pack.
"""

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import torch
import transformers
from transformers.utils import logging as transformers_logging

from index.bundled import bundled_minilm, hash_file
from index.encoder import Floats, WordVectors, unit_rows
from wraner.chunks import Chunk, chunk
from wraner.errors import Unavailable

DEFAULT_LAYER = 5
WINDOW_TOKENS = 254  # MiniLM was trained on 256 with its two marks; windows overlap by a quarter

_FORMAT = "contextual-1"


class ContextualEncoder:
    """Word vectors from layer `layer` (0: the embeddings) of the encoder in `folder`.

    Any folder that transformers can read as an encoder with a fast tokenizer will do; without one
    the bundled all-MiniLM-L6-v2 is used. Layers above `layer` are not loaded.

    Raises:
        Unavailable: the weights are missing or damaged.
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        layer: int = DEFAULT_LAYER,
        window_tokens: int = WINDOW_TOKENS,
    ) -> None:
        folder = bundled_minilm() if folder is None else folder
        self._tokenizer, self._model = _load(folder, layer)
        self._before, self._after = _marks(self._tokenizer)
        self._window = _window(self._model.config, window_tokens, self._before + self._after)
        self._lock = Lock()  # the tokenizer is not made for several threads
        self._identity = _identity(folder, layer, self._window)

    @property
    def identity(self) -> str:
        """A hash of weights, tokenizer, layer and window."""
        return self._identity

    @property
    def dimension(self) -> int:
        """The model's hidden size."""
        return int(self._model.config.hidden_size)

    def encode(self, texts: Sequence[str]) -> list[WordVectors]:
        """Return the word vectors of each text; a chunk without any subword is a zero row."""
        found = []
        for text in texts:
            with self._lock:  # text by text, so that a long build lets requests through
                found.append(self._encode_one(text))
        return found

    def sentences(self, texts: Sequence[str]) -> Floats:
        """Return each text's unit mean over its subwords and marks: sentence vectors, a control.

        *Shape:* (len(texts), dimension). At the last layer this is the way of the model's authors.
        """
        rows = np.zeros((len(texts), self.dimension), np.float32)
        for number, text in enumerate(texts):
            with self._lock:
                ids = self._tokenize(text)[0]
                short = len(ids) <= self._window
                rows[number] = (self._forward(ids) if short else self._hidden(ids)).mean(0)
        return unit_rows(rows)

    def _encode_one(self, text: str) -> WordVectors:
        chunks = chunk(text)
        ids, places = self._tokenize(text)
        sums = np.zeros((len(chunks), self.dimension), np.float32)
        if ids:
            subwords, words = _overlaps(places, chunks)
            np.add.at(sums, words, self._hidden(ids)[subwords])
        return WordVectors(chunks, unit_rows(sums))

    def _tokenize(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        # A lone surrogate is no Unicode scalar; its stand-in has the same length in code points.
        clean = "".join("\ufffd" if "\ud800" <= c <= "\udfff" else c for c in text)
        encoded = self._tokenizer(
            clean,
            add_special_tokens=False,
            return_offsets_mapping=True,
            split_special_tokens=True,
            truncation=False,
            verbose=False,
        )
        return encoded["input_ids"], encoded["offset_mapping"]

    def _hidden(self, ids: list[int]) -> Floats:
        """Return the layer's rows for all subwords. *Shape:* (len(ids), dimension)."""
        rows = np.zeros((len(ids), self.dimension), np.float32)
        for start, end, keep_start, keep_end in _windows(len(ids), self._window):
            window = self._forward(ids[start:end])
            first = len(self._before) + keep_start - start
            rows[keep_start:keep_end] = window[first : first + keep_end - keep_start]
        return rows

    def _forward(self, ids: list[int]) -> Floats:
        marked = torch.tensor([self._before + ids + self._after])
        with torch.inference_mode(), _one_thread():
            output = self._model(input_ids=marked)
        rows: Floats = output.last_hidden_state[0].float().numpy()
        return rows


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


def _load(folder: Path, layer: int) -> tuple[Any, Any]:
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
        if not 0 <= layer <= config.num_hidden_layers:
            raise ValueError(
                f"expected a layer between 0 and {config.num_hidden_layers}, was: {layer}"
            )
        config.num_hidden_layers = layer
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if not tokenizer.is_fast:
            raise ValueError("expected a fast tokenizer (tokenizer.json): it tells positions")
        with _quiet():
            model = transformers.AutoModel.from_pretrained(
                folder, config=config, local_files_only=True, dtype=torch.float32
            )
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise Unavailable(f"the word encoder in {folder} cannot be loaded: {reason}") from error
    return tokenizer, model.eval()


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the report about the layers that were left out on purpose."""
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.ERROR)
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


def _marks(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return the special tokens that the tokenizer sets before and after a text."""
    encoded = tokenizer("a", return_special_tokens_mask=True)
    ids, mask = encoded["input_ids"], encoded["special_tokens_mask"]
    first = mask.index(0)
    last = len(mask) - mask[::-1].index(0)
    return ids[:first], ids[last:]


def _window(config: Any, wanted: int, marks: list[int]) -> int:
    limit = int(getattr(config, "max_position_embeddings", 512)) - len(marks)
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


def _overlaps(
    places: list[tuple[int, int]], chunks: tuple[Chunk, ...]
) -> tuple[list[int], list[int]]:
    """Return the pairs (subword, chunk) that share a character; both run left to right."""
    subwords: list[int] = []
    words: list[int] = []
    first = 0
    for number, (start, end) in enumerate(places):
        while first < len(chunks) and chunks[first].end <= start:
            first += 1
        word = first
        while word < len(chunks) and chunks[word].start < end:
            if chunks[word].end > start:
                subwords.append(number)
                words.append(word)
            word += 1
    return subwords, words


def _identity(folder: Path, layer: int, window: int) -> str:
    names = ("*.safetensors", "*.bin", "config.json", "tokenizer*.json", "vocab*")
    files = sorted({path for name in names for path in folder.glob(name)})
    content = [(path.name, hash_file(path)) for path in files]
    return hashlib.sha256(json.dumps([_FORMAT, content, layer, window]).encode()).hexdigest()
