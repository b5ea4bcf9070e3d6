"""Adapters on disk: LoRA folders named by the hash of their content, each with a manifest.

A manifest pins the base weights' hash, so an adapter never runs on weights that it was not trained
for. Knows no loaded model.
"""

import hashlib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from wraner.errors import NotFound, Unavailable

WEIGHTS, CONFIG, MANIFEST = "adapter_model.safetensors", "adapter_config.json", "manifest.json"


class AdapterManifest(BaseModel):
    """What an adapter is: the base that it needs, and the hash of its own files."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base_sha256: str
    """Hash of the base model's weights, as `weights.resolve` gives it."""

    sha256: str
    """Hash of the adapter's weights and config; also the folder's name."""


def content_hash(folder: Path) -> str:
    """Return the hash of an adapter's weights and config.

    Raises:
        OSError: a file is missing.
    """
    digest = hashlib.sha256()
    for name in (CONFIG, WEIGHTS):
        digest.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return digest.hexdigest()


def find(adapters: Path, identity: str, *, base_sha256: str) -> Path:
    """Return the folder of the adapter `identity`, after checking it against its manifest.

    Raises:
        NotFound: there is none of that hash.
        Unavailable: it is damaged, or was trained on other base weights.
    """
    folder = adapters / identity
    if not identity.isalnum() or not folder.is_dir():
        raise NotFound(f"expected an adapter's content hash under {adapters}, was: {identity!r}")
    try:
        manifest = AdapterManifest.model_validate_json((folder / MANIFEST).read_bytes())
        found = content_hash(folder)
    except (OSError, ValidationError) as error:
        raise Unavailable(
            f"adapter {identity[:16]} is damaged ({error}); restore its folder"
        ) from error
    if not identity == manifest.sha256 == found:
        raise Unavailable(
            f"adapter {identity[:16]} is damaged: its files hash to {found[:16]}; "
            "restore its folder"
        )
    if manifest.base_sha256 != base_sha256:
        raise Unavailable(
            f"adapter {identity[:16]} was trained on base weights {manifest.base_sha256[:16]}, "
            f"the loaded ones are {base_sha256[:16]}; choose an adapter of this base"
        )
    return folder
