"""One run of the screen: an adapter that is trained for some steps and asked about dev sentences.

All runs share what takes long to read; an adapter begins afresh each time, the same by the seed.
Knows no factor and no design.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from pydantic import BaseModel, ConfigDict
from transformers import AutoTokenizer

from index.encoder import WordEncoder
from index.encoders import Encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from training.answer_loss import Asking, Questions, answer_loss
from training.clean_sources import read_clean_sources
from training.drawing import Drawing, Supply
from training.loop import Run, State, StepReport, train
from training.ner_domains import NerDomain
from training.preparation import Places, Say, adapted_model, drawing_of, open_store, packer_of
from training.settings import OptimiserSettings, TrainingSettings
from wraner import weights
from wraner.chat import ChatEncoder

_CONTEXT_TOKENS = 2048  # CrossNER's prompts are shorter: none loses an example


class Outcome(BaseModel):
    """What a run came to: its `AnswerLoss`, and the tokens that it was trained on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    answers: float
    labels: float
    tokens: int


@dataclass(frozen=True)
class Material:
    """What all runs share: the base model, what they are taught, and what they are asked."""

    base: weights.BaseModel
    chat: ChatEncoder
    supplies: tuple[Supply, ...]
    questions: tuple[Questions, ...]


def gather(
    settings: TrainingSettings,
    places: Places,
    domains: Sequence[NerDomain],
    encoder: WordEncoder,
    *,
    say: Say,
) -> Material:
    """Read and index all that the runs share.

    Raises:
        InvalidInput, Unavailable: as `preparation.prepare`.
    """
    base = weights.resolve(settings.base, places.state / "models", say=say)
    tokenizer: Any = AutoTokenizer.from_pretrained(base.path)
    supplies = tuple(
        Supply(
            open_store(encoder, places, say, s.name, s.train, settings.most_sentences),
            s.sheet.types,
            settings.sources[s.name],
        )
        for s in read_clean_sources(settings, places.data, say=say)
    )
    retriever = LocalRetriever(Encoders.same(encoder), IndexSettings())
    asking = Asking(tokenizer, retriever, _CONTEXT_TOKENS)
    questions = tuple(q for domain in domains for q in asking.questions(domain))
    return Material(base, ChatEncoder(tokenizer), supplies, questions)


def carry_out(settings: TrainingSettings, material: Material) -> Outcome:
    """Train a fresh adapter and measure it."""
    model, _ = adapted_model(settings, material.base)
    drawing = drawing_of(material.supplies, material.chat, settings=settings)
    budgeted = settings.model_copy(update={"optimiser": levelled(settings.optimiser, drawing)})
    packer = packer_of(settings.prompts, material.chat, model=model)
    heard = _Tokens()
    train(Run(budgeted, model, packer, drawing), heard)
    asked = settings.prompts.model_copy(update={"shown_weight": 0.0})
    packer = packer_of(asked, material.chat, model=model)
    loss = answer_loss(model, packer, material.questions)
    return Outcome(answers=loss.answers, labels=loss.labels, tokens=heard.tokens)


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


class _Tokens:
    """Hooks that count tokens."""

    def __init__(self) -> None:
        self.tokens = 0

    def on_step(self, report: StepReport) -> None:
        """Count an update's."""
        self.tokens += report.tokens

    def on_evaluated(self, step: int, loss: float) -> None:
        """Hear nothing: there is no dev here."""

    def on_checkpoint(self, state: State) -> None:
        """Keep nothing: a run is short."""
