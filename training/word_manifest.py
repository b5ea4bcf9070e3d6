"""A tuned word encoder on disk: what `index.word_model` reads, and a manifest beside it.

    <folder>/adapter_model.safetensors, adapter_config.json, manifest.json

Knows no training.
"""

from datetime import date
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from safetensors import SafetensorError, safe_open
from transformers import PretrainedConfig

from index.encoder import Floats
from index.word_model import BASE
from index.wordings import write_home
from training import lora
from training.word_tuning import Tunable
from wraner.adapters import CONFIG, MANIFEST, WEIGHTS, TrainingData
from wraner.errors import InvalidInput
from wraner.whole_folders import appearing


class WordManifest(BaseModel):
    """What a tuning is, what it was made of, and its last figures."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_sha256: str
    """Hash of the weights of the encoder that it needs."""
    parent: str
    """Hash of the weights of the tuning that it went on from; "": the encoder alone."""
    data: tuple[TrainingData, ...]
    """What it was trained on."""
    config: dict[str, JsonValue]
    """The training's settings."""
    loss: float
    """Mean over the last tenth of the steps, in nats a word, pseudo-types apart."""
    dev_loss: float | None
    """On the sources' dev files, in nats a word, types whole; None where no source has one."""
    created: date
    """When the training ended."""


def write_tuning(
    tuned: Tunable, manifest: WordManifest, *, target: Path, home: Floats | None = None
) -> None:
    """Write a tuning, factors in bf16, as the folder `target`, which appears whole or not at all.

    `home` is where the policies lie that it was made of, see `index.wordings`.

    Raises:
        InvalidInput: there is something at `target`.
    """
    refuse_existing(target)
    with appearing(target, is_whole=lambda: False) as folder:
        metadata = (BASE, manifest.base_sha256)
        lora.save(tuned.model, tuned.shape, folder, dtype=torch.bfloat16, metadata=metadata)
        if home is not None:
            write_home(home, folder)
        (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_word_manifest(tuning: Path) -> WordManifest:
    """Return a tuning's manifest.

    Raises:
        InvalidInput: it is missing or damaged.
    """
    try:
        return WordManifest.model_validate_json((tuning / MANIFEST).read_bytes())
    except (OSError, ValidationError) as error:
        raise InvalidInput(
            f"expected the manifest of a tuning in {tuning}, was: {error}; remove that folder"
        ) from error


def refuse_existing(target: Path) -> None:
    """Refuse to write over what there is.

    Raises:
        InvalidInput: there is something at `target`.
    """
    if target.exists():
        raise InvalidInput(
            f"expected a folder that is not there yet, was: {target}; name another one or remove it"
        )


def go_on_from(tuned: Tunable, parent: Path, *, base_sha256: str) -> None:
    """Set the factors and the table of a tunable model to those of the tuning `parent`.

    Raises:
        InvalidInput: it cannot be read, or is a tuning of another encoder or of another shape.
    """
    try:
        config = PretrainedConfig.from_json_file(parent / CONFIG)
        with safe_open(parent / WEIGHTS, framework="pt") as file:
            base = (file.metadata() or {}).get(BASE, "none")
    except (OSError, ValueError, SafetensorError) as error:
        raise InvalidInput(
            f"expected the folder of a tuned word encoder, was: {parent} ({error}); name one that "
            "training.tune_words wrote"
        ) from error
    if base != base_sha256:
        raise InvalidInput(
            f"expected a tuning of the encoder {base_sha256[:16]}, was: one of {base[:16]} in "
            f"{parent}; set `encoder` to the one that it was made with"
        )
    found, own = (float(config.lora_alpha), int(config.r)), (tuned.shape.alpha, tuned.shape.rank)
    if found != own:
        raise InvalidInput(
            f"expected alpha {own[0]} and rank {own[1]}, as the settings say, was: alpha "
            f"{found[0]:g} and rank {found[1]} in {parent}; set both as its manifest says"
        )
    lora.load(tuned.model, parent)
