"""Trains on a pack's examples beside a replay of sources, so that nothing is forgotten.

Starts from an adapter's weights, or afresh. A run that was stopped goes on; its folder is named by
all that decides about it. Knows no shelf and no gate.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from index.encoder import WordEncoder
from training import lora
from training.corpus import Corpus, StoreSettings, open_corpus
from training.drawing import Drawing, Supply
from training.finetune import run_name, train_to_end, training_data
from training.learner import Taught
from training.pack_lots import types_of
from training.preparation import Places, Prepared, drawing_of, prepare
from training.settings import LoraSettings, TrainingSettings
from training.sources import Source
from wraner.adapters import CONFIG
from wraner.answers import AnswerSpec
from wraner.errors import InvalidInput
from wraner.language_model import device_at_hand
from wraner.local import answer_room
from wraner.packs import Domain, version
from wraner.prompts import render_extraction

_SHOWN = 512
"""Tokens that are left to examples where definitions and text pass what a prompt usually has."""
_UNREAD = ("use_rslora", "use_dora", "rank_pattern", "alpha_pattern")


@dataclass(frozen=True)
class Subject:
    """What is taught: a pack, and beside it the sources of `training`, which may be none.

    `share` of the prompts ask about the pack. `parent` is the folder of the adapter to start from.
    `asked` are texts that no source may teach.
    """

    pack: Domain
    share: float
    training: TrainingSettings
    parent: Path | None
    asked: tuple[str, ...] = ()

    @property
    def identity(self) -> str:
        """A hash of what is taught, and from where on."""
        parent = self.parent.name if self.parent else ""
        given = [self.training.model_dump_json(), self.share, version(self.pack), parent]
        return hashlib.sha256(json.dumps(given).encode()).hexdigest()[:16]


def without_replay(settings: TrainingSettings) -> TrainingSettings:
    """Return settings that read no source."""
    return settings.model_copy(update={"sources": {}, "held_out": ()})


def shaped_like(adapter: Path, settings: LoraSettings) -> LoraSettings:
    """Return settings with the rank, alpha and targets of a stored adapter.

    Raises:
        InvalidInput: it is of a kind that training does not go on with.
    """
    config = json.loads((adapter / CONFIG).read_bytes())
    unread = [name for name in _UNREAD if config.get(name)]
    targets = config.get("target_modules")
    if unread or not isinstance(targets, list):
        raise InvalidInput(
            f"expected a plain LoRA adapter to go on from, was: {adapter.name[:16]} with "
            f"{', '.join(unread) or 'targets as a pattern'}; roll it back (wraner adapters "
            "rollback ner) to train from what was before it"
        )
    found = {"rank": config["r"], "alpha": config["lora_alpha"], "targets": tuple(sorted(targets))}
    return settings.model_copy(update=found)


def teach(subject: Subject, places: Places, encoder: WordEncoder, *, console: Console) -> Taught:
    """Train to the end, from the last checkpoint if there is one; write the adapter.

    Raises:
        InvalidInput, Unavailable: as `prepare`, `lora.load` and `train_to_end`; the pack's types
            and its longest text are more than the base model reads.
    """
    settings = subject.training
    device = device_at_hand()
    prepared = prepare(settings, places, say=console.log, device=device, asked=subject.asked)
    room = _room(subject.pack, prepared, settings.prompts.max_tokens)
    if room > settings.prompts.max_tokens:
        console.log(f"prompts of up to {room} tokens, for the pack's types and its longest text")
    if subject.parent is not None:
        lora.load(prepared.run.model, subject.parent)
    drawing = _drawing(subject, prepared, places, encoder, room)
    prepared = replace(prepared, run=replace(prepared.run, drawing=drawing, dev=None))
    run = run_name(settings, prepared.base)
    read = [(source.name, len(source.train)) for source in prepared.sources]
    # Neighbours are found by the encoder, and examples are drawn by their place.
    found = [encoder.identity, *(example.id for example in subject.pack.examples)]
    name = hashlib.sha256(f"{subject.identity} {run} {read} {found}".encode()).hexdigest()[:16]
    folder = places.state / "training" / "retraining" / name
    adapter = train_to_end(prepared, folder, console, run=run)
    replayed = training_data(prepared.sources, settings)
    return Taught(adapter, len(subject.pack.examples), prepared.sources, replayed)


def _room(pack: Domain, prepared: Prepared, most: int) -> int:
    """Return how many tokens a prompt may have: `most`, or what a large pack needs.

    Raises:
        InvalidInput: the base model does not read so many.
    """
    chat, types = prepared.chat, pack.entity_types
    longest = max((e.text for e in pack.examples), key=lambda text: len(chat.text_ids(text)))
    config: Any = prepared.run.model.config
    reads = int(config.max_position_embeddings)
    reads -= answer_room(chat, AnswerSpec(pack.labels, longest), context=reads)
    needed = chat.encode(render_extraction(types, (), longest), max_tokens=reads).tokens
    return most if needed + _SHOWN <= most else min(needed + _SHOWN, reads)


def _drawing(
    subject: Subject, prepared: Prepared, places: Places, encoder: WordEncoder, room: int
) -> Drawing:
    cache = places.state / "training" / "corpora"
    size = len(subject.pack.examples)
    whole = StoreSettings(smallest=size, largest=size)  # a pack is one store, as it is served
    pack = open_corpus("pack", subject.pack.examples, encoder, cache=cache, settings=whole)
    supplies = _supplies(subject, pack, prepared.corpora, prepared.sources)
    prompts = subject.training.prompts.model_copy(update={"max_tokens": room})
    settings = subject.training.model_copy(update={"prompts": prompts})
    return drawing_of(supplies, prepared.chat, settings=settings)


def _supplies(
    subject: Subject, pack: Corpus, replayed: Sequence[Corpus], sources: Sequence[Source]
) -> list[Supply]:
    weights = [subject.training.sources[source.name] for source in sources]
    rest = (1 - subject.share) / (sum(weights) or 1.0)  # of the sources that are left, if any
    return [
        Supply(pack, types_of(subject.pack), subject.share),
        *(
            Supply(corpus, source.sheet.types, rest * weight)
            for corpus, source, weight in zip(replayed, sources, weights, strict=True)
        ),
    ]
