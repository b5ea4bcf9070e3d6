"""A tiny BERT on disk, and settings of a short tuning of it on the source of `towns`."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import BertConfig, BertModel

from index.subwords import SubwordReader
from training.sources import read_source, read_source_configs
from training.word_episodes import WordSupply
from training.word_sentences import read_sentences
from training.word_settings import WordSettings

WIDTH = 16
LABELS = ("person", "town")


def write_tiny_bert(folder: Path, *, seed: int = 0) -> Path:
    """Write a BERT of two layers, its vocabulary single letters, into the new folder `folder`."""
    folder.mkdir()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(c) for c in range(33, 127)]
    vocabulary = special + letters + [f"##{c}" for c in letters]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    names = dict(zip(["pad", "unk", "cls", "sep", "mask"], special, strict=True))
    tokens = {f"{name}_token": token for name, token in names.items()}
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "BertTokenizer", "do_lower_case": True, **tokens})
    )
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=64,
        initializer_range=0.3,
    )
    BertModel(config).save_pretrained(folder)
    return folder


def word_settings(bert: Path, source_file: Path, **changes: Any) -> WordSettings:
    """Return settings of a tuning of a few steps."""
    given: dict[str, Any] = {
        "encoder": str(bert),
        "layer": 2,
        "rank": 4,
        "alpha": 8,
        "steps": 6,
        "sentences": 12,
        "learning_rate": 0.01,
        "split_layer": 1,
        "longest_subwords": 40,
        "sources": {"towns": 1.0},
        "source_file": source_file,
    }
    return WordSettings(**given | changes)


def town_supply(settings: WordSettings, data: Path) -> WordSupply:
    """Return the source's training sentences as `settings` reads them."""
    (config,) = read_source_configs(data / "sources.yaml")
    source = read_source(config, data_root=data)
    reader = SubwordReader(Path(settings.encoder))
    sentences = read_sentences(source.train, LABELS, reader=reader, settings=settings)
    return WordSupply("towns", sentences, 2, 1.0)
