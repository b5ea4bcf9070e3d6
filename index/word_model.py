"""A transformer encoder cut off at a layer, alone or tuned so that words of one type lie together.

A tuning has low-rank factors for its linear layers (Hu et al. 2021) and a vector for each way to
write a word, added to the embeddings: the same model is trained and serves. Knows no text.
"""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from safetensors import SafetensorError, safe_open
from transformers.utils import logging as transformers_logging

from index.bundled import hash_file
from index.letter_case import LetterCase
from wraner.adapters import CONFIG, WEIGHTS

BASE = "base_sha256"
"""What a tuning's metadata call the hash of the weights that it was made for."""

BASE_WEIGHTS = "model.safetensors"
_PREFIX = "base_model.model."
_LETTER_CASE = "letter_case.weight"
_DOWN = re.compile(r"encoder\.(encoder\.layer\.(\d+)\..+)\.lora_A\.weight")


class WordModel(torch.nn.Module):
    """An encoder and, where it is tuned, what each way to write a word adds to an embedding.

    *Shape:* ``letter_case`` (ways to write, width).
    """

    def __init__(self, encoder: Any, letter_case: torch.Tensor | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.letter_case = None if letter_case is None else torch.nn.Parameter(letter_case)

    def forward(
        self, ids: torch.Tensor, cases: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Return the last layer's rows. *Shape:* all (texts, subwords), to (…, width)."""
        embedded = self.encoder.get_input_embeddings()(ids)
        if self.letter_case is not None:
            embedded = embedded + torch.nn.functional.embedding(cases, self.letter_case)
        rows: torch.Tensor = self.encoder(
            inputs_embeds=embedded, attention_mask=mask
        ).last_hidden_state
        return rows


def load_encoder(folder: Path, layer: int) -> Any:
    """Load an encoder's layers below and including `layer` (0: the embeddings alone) in fp32.

    Raises:
        OSError, ValueError, RuntimeError: they cannot be loaded.
    """
    config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
    if not 0 <= layer <= config.num_hidden_layers:
        raise ValueError(f"expected a layer between 0 and {config.num_hidden_layers}, was: {layer}")
    config.num_hidden_layers = layer
    with _quiet():
        model = transformers.AutoModel.from_pretrained(
            folder, config=config, local_files_only=True, dtype=torch.float32
        )
    if hasattr(model, "pooler"):
        model.pooler = None  # it reads the layer for whole texts, which nobody asks here
    return model.eval()


def load_tuned(folder: Path, tuning: Path) -> WordModel:
    """Load the encoder in `folder` with the factors in `tuning` multiplied into its layers.

    The tuning names in its metadata, as ``base_sha256``, the hash of the weights that it was made
    for.

    Raises:
        OSError, ValueError, RuntimeError: one of them cannot be loaded, or does not fit the other.
    """
    scale = _scale(tuning)
    tensors, base = _read(tuning / WEIGHTS)
    _check_base(folder / BASE_WEIGHTS, base, tuning)
    downs = {name: found for name in tensors if (found := _DOWN.fullmatch(name))}
    expected = {_LETTER_CASE, *downs, *(_up(name) for name in downs)}
    if not downs or tensors.keys() != expected:
        odd = ", ".join(sorted(tensors.keys() ^ expected)[:3]) or "no factors"
        raise ValueError(f"expected the tuning of a word encoder in {tuning}, was: {odd}")
    encoder = load_encoder(folder, 1 + max(int(found[2]) for found in downs.values()))
    shape = (len(LetterCase), int(encoder.config.hidden_size))
    if tensors[_LETTER_CASE].shape != shape:
        given = tuple(tensors[_LETTER_CASE].shape)
        raise ValueError(f"expected a table of letter case of shape {shape}, was: {given}")
    with torch.no_grad():
        for name, found in downs.items():
            layer = encoder.get_submodule(found[1])
            layer.weight += scale * (tensors[_up(name)] @ tensors[name])
    return WordModel(encoder, tensors[_LETTER_CASE]).eval()


def _up(down: str) -> str:
    return down.replace("lora_A", "lora_B")


def _scale(tuning: Path) -> float:
    """Return what the product of two factors is multiplied with."""
    config = json.loads((tuning / CONFIG).read_bytes())
    try:
        return float(config["lora_alpha"]) / float(config["r"])
    except (KeyError, TypeError, ZeroDivisionError) as error:
        raise ValueError(f"expected r and lora_alpha in {tuning / CONFIG}, was: {error}") from error


def _read(file: Path) -> tuple[dict[str, torch.Tensor], str]:
    """Return the tensors of a tuning by their short names in fp32, and its base's hash."""
    try:
        with safe_open(file, "pt") as stored:
            base = str((stored.metadata() or {}).get(BASE, "not named"))
            tensors = {name: stored.get_tensor(name).float() for name in stored.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{file} is damaged: {error}") from error
    return {name.removeprefix(_PREFIX): tensor for name, tensor in tensors.items()}, base


def _check_base(weights: Path, expected: str, tuning: Path) -> None:
    found = hash_file(weights)
    if found != expected or not weights.is_file():
        raise ValueError(
            f"expected a tuning for {weights} (sha256 {found}) in {tuning}, was: one whose base is "
            f"{expected}; tune this encoder, or do without a tuning"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence the report about the layers that were left out on purpose."""
    level = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity(logging.ERROR)
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()
