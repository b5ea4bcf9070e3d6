"""One run of the screen: an adapter that is trained for some steps and asked about dev sentences.

All runs share what takes long to read. An adapter begins afresh each time, the same by the seed,
and answers as it would be served, without any votes. Knows no factor and no design.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict
from transformers import AutoTokenizer

from index.encoder import WordEncoder
from training import lora
from training.bootstrap import mean_interval
from training.clean_sources import read_clean_sources
from training.drawing import Drawing, Supply
from training.examination import Bench, Examination
from training.loop import Run, train
from training.ner_domains import NerDomain
from training.preparation import (
    Places,
    Say,
    adapted_model,
    drawing_of,
    open_store,
    packer_of,
    supply_of,
)
from training.settings import OptimiserSettings, TrainingSettings
from training.token_count import TokenCount
from wraner import weights
from wraner.adapters import AdapterManifest, Base, write_adapter
from wraner.chat import ChatEncoder
from wraner.language_model import device_at_hand

_K = 5  # examples in a prompt, as served


class Outcome(BaseModel):
    """What a run came to: mean F1 of the domains, in points, and the tokens that it was trained on.

    `interval` holds the mean for 95 % of resampled sentences: what the sample leaves open.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    f1: float
    interval: tuple[float, float]
    tokens: int


@dataclass(frozen=True)
class Material:
    """What all runs share: the base model, what they are taught, what they are asked, and how."""

    base: weights.BaseModel
    chat: ChatEncoder
    supplies: tuple[Supply, ...]
    domains: tuple[NerDomain, ...]
    examination: Examination


def gather(
    settings: TrainingSettings,
    places: Places,
    domains: Sequence[NerDomain],
    encoder: WordEncoder,
    examination: Examination,
    *,
    say: Say,
) -> Material:
    """Read and index, by `encoder`, all that the runs share.

    Raises:
        InvalidInput, Unavailable: as `preparation.prepare`.
    """
    base = weights.resolve(settings.base, places.state / "models", say=say)
    tokenizer: Any = AutoTokenizer.from_pretrained(base.path)
    supplies = tuple(
        supply_of(
            s,
            open_store(encoder, places, say, s.name, s.train, settings.most_sentences),
            settings,
        )
        for s in read_clean_sources(settings, places.data, say=say)
    )
    return Material(base, ChatEncoder(tokenizer), supplies, tuple(domains), examination)


def carry_out(settings: TrainingSettings, material: Material) -> Outcome:
    """Train a fresh adapter and measure it."""
    device = device_at_hand()
    model, shape = adapted_model(settings, material.base, device=device)
    drawing = drawing_of(material.supplies, material.chat, settings=settings)
    budgeted = settings.model_copy(update={"optimiser": levelled(settings.optimiser, drawing)})
    packer = packer_of(settings.prompts, material.chat, model=model)
    heard = TokenCount()
    train(Run(budgeted, model, packer, drawing), heard)
    with TemporaryDirectory() as shelf:
        lora.save(model, shape, Path(shelf) / "trained", dtype=torch.bfloat16)
        adapter = write_adapter(
            Path(shelf), Path(shelf) / "trained", _manifest(settings, material.base)
        )
        with material.examination(Bench(material.base, Path(shelf), _K)) as examine:
            f1 = mean_interval([examine(domain, adapter) for domain in material.domains])
    low, high = 100 * f1.low, 100 * f1.high
    return Outcome(f1=100 * f1.value, interval=(low, high), tokens=heard.tokens)


def _manifest(settings: TrainingSettings, base: weights.BaseModel) -> AdapterManifest:
    """Return what an adapter that lives for one examination must say of itself."""
    return AdapterManifest(
        task=settings.task,
        base=Base(name=base.name, sha256=base.sha256),
        data=(),
        config={},
        metrics={},
        created=datetime.now(UTC).date(),
        view=settings.prompts.view,
    )


def levelled(optimiser: OptimiserSettings, drawing: Drawing) -> OptimiserSettings:
    """Lower the tokens of a step until all steps together just reach what they should.

    A step ends with the group that reaches its tokens, and how far beyond depends on how long
    prompts are, which is what factors change.
    """
    most = optimiser.step_tokens
    ends = [
        list(accumulate(group.tokens for group in drawing.step(number, tokens=most)))
        for number in range(1, optimiser.steps + 1)
    ]

    def total(step_tokens: int) -> int:
        return sum(next(end for end in step if end >= step_tokens) for step in ends)

    sizes = range(1, most)
    enough = sizes.start + bisect_left(sizes, optimiser.steps * most, key=total)
    return optimiser.model_copy(update={"step_tokens": enough})
