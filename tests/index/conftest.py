"""Word encoders for tests: one without weights, a tiny BERT, and a tuning of it."""

import hashlib
import json
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from transformers import BertConfig, BertModel

from index.bundled import hash_file
from index.encoder import WordVectors, unit_rows
from index.letter_case import LetterCase
from wraner.adapters import CONFIG, WEIGHTS
from wraner.chunks import chunk

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
WIDTH, INNER, RANK, ALPHA = 8, 16, 2, 6
_LAYER = "base_model.model.encoder.encoder.layer.0"
_QUERY, _OUT = f"{_LAYER}.attention.self.query", f"{_LAYER}.output.dense"


class HashEncoder:
    """A word's vector is drawn from the hash of its letters, a text's is their mean's direction;
    counts the texts it encodes.
    """

    def __init__(self, dimension: int = 16) -> None:
        self.dimension = dimension
        self.identity = f"hash-{dimension}"
        self.encoded: list[str] = []

    def encode(self, texts: Sequence[str]) -> list[WordVectors]:
        self.encoded += texts
        return [self._encode_one(text) for text in texts]

    def _encode_one(self, text: str) -> WordVectors:
        chunks = chunk(text)
        rows = np.zeros((len(chunks), self.dimension), np.float32)
        for number, piece in enumerate(chunks):
            rows[number] = _drawn(piece.text.lower(), self.dimension)
        vectors = unit_rows(rows)
        return WordVectors(chunks, vectors, unit_rows(vectors.sum(0, keepdims=True))[0])


@cache
def _drawn(word: str, dimension: int) -> np.ndarray:
    digest = hashlib.sha256(word.encode("utf-8", "replace")).digest()
    return np.random.default_rng(int.from_bytes(digest[:4], "little")).normal(size=dimension)


@pytest.fixture(scope="session")
def make_encoder() -> Callable[[], HashEncoder]:
    return HashEncoder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a BERT of two layers with a word-piece vocabulary of single letters."""
    folder = tmp_path_factory.mktemp("tiny")
    letters = [chr(c) for c in range(33, 127)]
    vocabulary = SPECIAL + letters + [f"##{c}" for c in letters]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    marks = dict(zip(["pad", "unk", "cls", "sep", "mask"], SPECIAL, strict=True))
    tokens = {f"{name}_token": token for name, token in marks.items()}
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True, **tokens})
    )
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=INNER,
        max_position_embeddings=256,
    )
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tuning_tensors() -> dict[str, torch.Tensor]:
    """A tuning of the tiny BERT: two linear layers of its first layer, and letter case."""
    draw = torch.Generator().manual_seed(1)
    shapes = {
        f"{_QUERY}.lora_A.weight": (RANK, WIDTH),
        f"{_QUERY}.lora_B.weight": (WIDTH, RANK),
        f"{_OUT}.lora_A.weight": (RANK, INNER),
        f"{_OUT}.lora_B.weight": (WIDTH, RANK),
        "base_model.model.letter_case.weight": (len(LetterCase), WIDTH),
    }
    return {name: torch.randn(shape, generator=draw) for name, shape in shapes.items()}


@pytest.fixture
def tuning(tiny: Path, tuning_tensors: dict[str, torch.Tensor], tmp_path: Path) -> Path:
    """The folder of that tuning."""
    folder = tmp_path / "tuning"
    write_tuning(folder, tuning_tensors, base_sha256=hash_file(tiny / "model.safetensors"))
    return folder


def write_tuning(folder: Path, tensors: dict[str, torch.Tensor], **metadata: str) -> None:
    """Write a tuning's two files."""
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / WEIGHTS, metadata=metadata or None)
    (folder / CONFIG).write_text(json.dumps({"r": RANK, "lora_alpha": ALPHA}))
