"""Subject of a report card: what answered, and what it was made of, as its manifests say.

Knows no figure that was measured.
"""

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from training.ner_summary import Fact
from training.word_manifest import WordManifest, read_word_manifest
from wraner.adapters import (
    MANIFEST,
    AdapterManifest,
    Task,
    TrainingData,
    content_hash,
    read_adapter,
)
from wraner.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Tuning:
    """The encoder's tuning: its content hash and its manifest."""

    sha256: str
    manifest: WordManifest


@dataclass(frozen=True, slots=True)
class TaughtSource:
    """One source of training data, and which part was trained on it."""

    part: str
    data: TrainingData


@dataclass(frozen=True, slots=True)
class CardSubject:
    """What a card is about; `adapter` None: the base model alone, `tuning` None: untuned.

    `policy_set_version` is that of the policy set with its own examples.
    """

    policy_set: str
    policy_set_version: str
    policies: int
    encoder: str
    adapter: AdapterManifest | None
    tuning: Tuning | None

    @property
    def sources(self) -> tuple[TaughtSource, ...]:
        """All training data, the adapter's first."""
        found = []
        if self.adapter is not None:
            found += [TaughtSource("the adapter", data) for data in self.adapter.data]
        if self.tuning is not None:
            found += [TaughtSource("the encoder's tuning", d) for d in self.tuning.manifest.data]
        return tuple(found)

    @property
    def trainings(self) -> tuple[Fact, ...]:
        """How long each part was trained."""
        found = []
        if self.adapter is not None:
            length = _length(self.adapter.config.get("optimiser"))
            before = self.adapter.parent[:12]
            more = f", on from {before}, whose runs come on top" if before else ""
            found.append(Fact("the adapter", length + more))
        if self.tuning is not None:
            found.append(Fact("the encoder's tuning", _length(self.tuning.manifest.config)))
        return tuple(found)

    @property
    def recorded(self) -> tuple[Fact, ...]:
        """The figures that the adapter's manifest holds, from other runs, with their names."""
        return () if self.adapter is None else tuple(_flat("", self.adapter.metrics))


def read_moderation_adapter(adapters: Path, identity: str) -> AdapterManifest | None:
    """Return the manifest of a stored adapter; None for "", the base model alone.

    Raises:
        InvalidInput: it is an adapter of another task.
        NotFound: there is none of that hash.
        Unavailable: it is damaged.
    """
    if not identity:
        return None
    found = read_adapter(adapters, identity)
    if found.task is not Task.MODERATION:
        raise InvalidInput(
            f"expected an adapter for moderation, was: {identity[:16]}, one for {found.task}; "
            "`wraner adapters list` shows the others"
        )
    return found


def read_tuning(folder: Path) -> Tuning:
    """Return what a tuning's folder says of it.

    Raises:
        InvalidInput: it does not say what the tuning was made of.
    """
    try:
        return Tuning(content_hash(folder), read_word_manifest(folder))
    except (InvalidInput, OSError) as error:
        raise InvalidInput(
            f"expected in {folder} a {MANIFEST} that says what the encoder's tuning was made of, "
            "was: none that can be read; restore it, or go without a card"
        ) from error


class _Length(BaseModel):
    """The part of a training's settings that says how long it was; an encoder's has no tokens."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    steps: int
    stop: int | None = None
    step_tokens: int | None = None


def _length(settings: JsonValue | dict[str, JsonValue]) -> str:
    try:
        length = _Length.model_validate(settings)
    except ValidationError:
        return "not stated in its manifest"
    steps = length.steps if length.stop is None else min(length.stop, length.steps)
    if length.step_tokens is None:
        return f"{steps:,} steps"
    tokens = f"{length.step_tokens:,} tokens, at least {steps * length.step_tokens:,} in all"
    return f"{steps:,} steps of at least {tokens}"


def _flat(name: str, value: JsonValue | dict[str, JsonValue]) -> list[Fact]:
    """Return the leaves of nested figures, each under the names that lead to it."""
    if isinstance(value, dict):
        below = [(f"{name}, {key}" if name else key, inner) for key, inner in value.items()]
        return [fact for key, inner in below for fact in _flat(key, inner)]
    return [Fact(name.replace("_", " "), str(value))]
