"""Adapters on disk: LoRA folders named by the hash of their content, each with a manifest.

    <adapters>/<sha256>/adapter_model.safetensors, adapter_config.json, manifest.json

A manifest pins the base weights' hash, so an adapter never runs on weights that it was not trained
for, and says what it was trained on and how well it does. Knows no loaded model, and not which
adapter is in use.
"""

import hashlib
import os
import re
import shutil
from datetime import date
from enum import StrEnum
from functools import partial
from pathlib import Path
from uuid import uuid4

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from wraner.errors import InvalidInput, NotFound, Unavailable
from wraner.fusion import Fusion
from wraner.view import View
from wraner.whole_folders import appearing, to_disk

WEIGHTS, CONFIG, MANIFEST = "adapter_model.safetensors", "adapter_config.json", "manifest.json"

_HASH = re.compile(r"[0-9a-f]{64}")
_FROZEN = ConfigDict(frozen=True, extra="forbid")


class Task(StrEnum):
    """What an adapter is trained for."""

    NER = "ner"
    MODERATION = "moderation"
    WORDS = "words"


MODEL_TASKS = (Task.NER, Task.MODERATION)
"""What the language model is trained for; words are the word encoder's."""


class Base(BaseModel):
    """The base model, or word encoder, that an adapter needs."""

    model_config = _FROZEN

    name: str
    """Its name, for people."""
    sha256: str
    """Hash of its weights: a model's as `weights.resolve` gives it, an encoder's of its file."""


class TrainingData(BaseModel):
    """One source of what an adapter was trained on."""

    model_config = _FROZEN

    name: str
    """The source's name."""
    terms: str
    """Its licence and origin."""
    sentences: int = Field(ge=0)
    """How many of its sentences were trained on."""


class AdapterManifest(BaseModel):
    """What an adapter is, what it was made of and how well it does."""

    model_config = _FROZEN

    task: Task
    """What it was trained for."""
    base: Base
    """The base model that it needs."""
    data: tuple[TrainingData, ...]
    """What it was trained on."""
    config: dict[str, JsonValue]
    """The training's settings."""
    metrics: dict[str, JsonValue]
    """Figures on dev and test data, with the command that made them."""
    created: date
    """When the training ended."""
    forced: bool = False
    """Whether it was promoted though a gate refused it."""
    view: View = View.SEQUENCE
    """What the examples in a prompt look at, as in its training."""
    parent: str = ""
    """Hash of the adapter that it was trained from; "": the base alone."""
    calibration: Fusion | None = None
    """How a judge's answers become scores; None: not fitted."""
    sha256: str = ""
    """Hash of its weights and config, also its folder's name; "": it is not written yet."""


def content_hash(folder: Path) -> str:
    """Return the hash of an adapter's weights and config.

    Raises:
        OSError: a file is missing.
    """
    digest = hashlib.sha256()
    for name in (CONFIG, WEIGHTS):
        digest.update(hashlib.sha256((folder / name).read_bytes()).digest())
    return digest.hexdigest()


def is_identity(name: str) -> bool:
    """Return whether `name` can be an adapter's content hash."""
    return _HASH.fullmatch(name) is not None


def identities(adapters: Path) -> list[str]:
    """Return the hashes of all adapters that are stored, damaged ones too, sorted."""
    return sorted(p.name for p in adapters.glob("*") if is_identity(p.name))


def write_adapter(adapters: Path, weights_folder: Path, manifest: AdapterManifest) -> str:
    """Store the adapter in `weights_folder` below `adapters`; return its content hash.

    Where it is stored already, its weights stay as they are and its manifest is replaced: more may
    be known of it by now. A calibration stays where the new manifest has none.

    Raises:
        InvalidInput: weights or config are missing, or the manifest has another adapter's hash.
    """
    try:
        identity = content_hash(weights_folder)
    except OSError as error:
        raise InvalidInput(
            f"expected {CONFIG} and {WEIGHTS} in {weights_folder}, was: {error}; save an adapter "
            f"there as PEFT does"
        ) from error
    if manifest.sha256 not in ("", identity):
        raise InvalidInput(
            f"expected a manifest without a hash or with {identity}, was: {manifest.sha256}; leave "
            f"its sha256 out"
        )
    named = manifest.model_copy(update={"sha256": identity})
    before = stored(adapters, identity)
    if before is not None:
        fitted = named.calibration or before.calibration
        _write_manifest(adapters / identity, named.model_copy(update={"calibration": fitted}))
    else:
        whole = partial(is_whole, adapters, identity)
        with appearing(adapters / identity, is_whole=whole) as folder:
            for name in (CONFIG, WEIGHTS):
                shutil.copyfile(weights_folder / name, folder / name)
                to_disk(folder / name)
            _write_manifest(folder, named)
    return identity


def dated_as_stored(
    adapters: Path, weights_folder: Path, manifest: AdapterManifest
) -> AdapterManifest:
    """Return a manifest with the date of the adapter in `weights_folder` where that is stored.

    Who finishes the same training again has made nothing new.

    Raises:
        OSError: weights or config are missing.
    """
    before = stored(adapters, content_hash(weights_folder))
    return manifest if before is None else manifest.model_copy(update={"created": before.created})


def newest(adapters: Path) -> str:
    """Return the hash of the newest whole adapter, "" for none.

    Of two of the same day the choice is arbitrary but fixed.
    """
    whole = [m for m in (stored(adapters, name) for name in identities(adapters)) if m is not None]
    return max(whole, key=lambda m: (m.created, m.sha256)).sha256 if whole else ""


def is_whole(adapters: Path, identity: str) -> bool:
    """Return whether the adapter `identity` is stored and undamaged."""
    return stored(adapters, identity) is not None


def stored(adapters: Path, identity: str) -> AdapterManifest | None:
    """Return the manifest of the adapter `identity`, None where there is none or it is damaged."""
    try:
        return read_adapter(adapters, identity)
    except (NotFound, Unavailable):
        return None


def read_adapter(adapters: Path, identity: str) -> AdapterManifest:
    """Return the manifest of the adapter `identity`, after checking its files against it.

    Raises:
        NotFound: there is none of that hash.
        Unavailable: it is damaged.
    """
    folder = adapters / identity
    if not is_identity(identity) or not folder.is_dir():
        raise NotFound(
            f"expected an adapter's content hash under {adapters}, was: {identity[:80]!r}; "
            f"`wraner adapters list` shows what is stored"
        )
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
    return manifest


def find(adapters: Path, identity: str, *, base_sha256: str) -> Path:
    """Return the folder of the adapter `identity`, after checking it against its manifest.

    Raises:
        NotFound: there is none of that hash.
        Unavailable: it is damaged, or was trained on other base weights.
    """
    base = read_adapter(adapters, identity).base
    if base.sha256 != base_sha256:
        raise Unavailable(
            f"adapter {identity[:16]} was trained on base weights {base.sha256[:16]}, "
            f"the loaded ones are {base_sha256[:16]}; choose an adapter of this base"
        )
    return adapters / identity


def _write_manifest(folder: Path, manifest: AdapterManifest) -> None:
    fresh = folder / f".{MANIFEST}-{uuid4().hex}"  # of its own, for several processes may write
    try:
        fresh.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
        to_disk(fresh)
        os.replace(fresh, folder / MANIFEST)
    finally:
        fresh.unlink(missing_ok=True)
