"""Adapters of random weights, as training would leave them."""

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import peft
import torch
from transformers import AutoModelForCausalLM

from wraner.adapters import CONFIG, WEIGHTS, AdapterManifest, Base, Task, write_adapter
from wraner.weights import BaseModel


def manifest_of(base: BaseModel, **fields: Any) -> AdapterManifest:
    """Return the manifest of an adapter of `base`, without its hash."""
    made = {"task": Task.NER, "data": (), "config": {}, "metrics": {}, "created": date(2026, 1, 1)}
    own = Base(name=base.name, sha256=base.sha256)
    return AdapterManifest.model_validate({"base": own, **made, **fields})


def random_adapter(base: BaseModel, adapters: Path, seed: int, **fields: Any) -> str:
    """Store a random adapter that changes the answers of `base`; return its hash."""
    torch.manual_seed(seed)
    config = peft.LoraConfig(r=4, target_modules=["q_proj", "v_proj", "o_proj"], lora_alpha=64)
    fresh: Any = AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.float32)
    tuned = peft.get_peft_model(fresh, config)
    for name, weight in tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight)
    with TemporaryDirectory() as scratch:
        tuned.save_pretrained(scratch)
        return write_adapter(adapters, Path(scratch), manifest_of(base, **fields))


def hollow_adapter(base: BaseModel, adapters: Path, words: str, **fields: Any) -> str:
    """Store what has an adapter's files and no weights; return its hash."""
    with TemporaryDirectory() as scratch:
        (Path(scratch) / CONFIG).write_text(words)
        (Path(scratch) / WEIGHTS).write_bytes(b"")
        return write_adapter(adapters, Path(scratch), manifest_of(base, **fields))
