"""The tuning of a word encoder: words of one type are drawn together, those of others apart.

The loss is that of neighbourhood components analysis (Goldberger et al. 2004), as in matching
networks (Vinyals et al. 2016): each word guesses its tag from the words of other sentences, weighed
by a softmax over similarity, which is how word votes are counted. It compares all words of a step
with each other, so a step runs in one process; a smaller share of it would be another loss.
A step is a function of the seed and its number. Knows no files.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from index.letter_case import LetterCase
from index.word_model import WordModel
from training import lora
from training.divergence import check_finite
from training.loop import StepReport, rate
from training.word_batches import batch_of, word_vectors
from training.word_episodes import Episode, Episodes
from training.word_settings import WordSettings

_WORD_TASK = "FEATURE_EXTRACTION"


@dataclass(frozen=True, slots=True, eq=False)
class Tunable:
    """An encoder with fresh factors and an empty table for letter case."""

    model: WordModel
    shape: lora.LoraShape


def tunable(encoder: Any, *, rank: int, alpha: int, seed: int) -> Tunable:
    """Put factors on all linear layers of an encoder, in place; the seed decides how they begin."""
    width = int(encoder.config.hidden_size)
    targets = tuple(lora.linear_names(encoder))
    shape = lora.LoraShape(rank, alpha, 0.0, targets, _WORD_TASK)
    torch.manual_seed(seed)
    lora.attach(encoder, shape)
    return Tunable(WordModel(encoder, torch.zeros(len(LetterCase), width)), shape)


def tune(
    model: WordModel,
    episodes: Episodes,
    *,
    settings: WordSettings,
    on_step: Callable[[StepReport], None],
) -> None:
    """Train a tunable model's factors and table; `on_step` hears of every update.

    Raises:
        InvalidInput: a loss is not finite.
    """
    optimiser = _optimiser(model, settings)
    for step in range(1, settings.steps + 1):
        on_step(_update(model, optimiser, episodes=episodes, settings=settings, step=step))


@torch.no_grad()
def measure(model: WordModel, episodes: Sequence[Episode], *, temperature: float) -> float:
    """Return the mean loss on some episodes, in nats a word; nan where no word has a partner."""
    model.eval()
    losses = [_losses(model, episode, temperature) for episode in episodes]
    return float(torch.cat(losses).mean())


def neighbour_losses(
    vectors: torch.Tensor, tags: torch.Tensor, *, sentences: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Return each word's loss in nats, of the words that have a partner, in order.

    It is -log of the share of votes that go to partners: words of the same tag in other sentences.
    The word's own sentence does not vote. *Shape:* ``vectors`` (n_words, width), unit rows;
    ``tags``, ``sentences`` (n_words,); to (n_words_with_partner,).
    """
    apart = sentences[:, None] != sentences[None]
    partners = apart & (tags[:, None] == tags[None])
    asked = partners.any(dim=1)
    votes = vectors[asked] @ vectors.t() / temperature
    all_votes = votes.masked_fill(~apart[asked], -torch.inf).logsumexp(dim=1)
    return all_votes - votes.masked_fill(~partners[asked], -torch.inf).logsumexp(dim=1)


def _losses(model: WordModel, episode: Episode, temperature: float) -> torch.Tensor:
    batch = batch_of(episode.sentences)
    tags = torch.from_numpy(episode.tags)
    vectors = word_vectors(model, batch)
    return neighbour_losses(vectors, tags, sentences=batch.sentences, temperature=temperature)


def _optimiser(model: WordModel, settings: WordSettings) -> torch.optim.AdamW:
    """Return AdamW over factors and table; ``pace`` is how much faster a group learns."""
    table = [p for n, p in lora.factors(model) if n == "letter_case"]
    others = [p for n, p in lora.factors(model) if n != "letter_case"]
    groups = [{"params": others, "pace": 1.0}, {"params": table, "pace": settings.letter_case_rate}]
    return torch.optim.AdamW(groups, weight_decay=settings.weight_decay)


def _update(
    model: WordModel,
    optimiser: torch.optim.AdamW,
    *,
    episodes: Episodes,
    settings: WordSettings,
    step: int,
) -> StepReport:
    began = time.monotonic()
    episode = episodes.step(step)
    model.train()
    torch.manual_seed(hash((settings.seed, step)))
    losses = _losses(model, episode, settings.temperature)
    loss = losses.sum() / max(1, len(losses))
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    trained = [p for _, p in lora.factors(model)]
    norm = float(torch.nn.utils.clip_grad_norm_(trained, settings.clip_norm))
    check_finite(step, loss=float(loss.detach()), gradient_norm=norm)
    learning_rate = rate(settings, step)
    for group in optimiser.param_groups:
        group["lr"] = learning_rate * group["pace"]
    optimiser.step()
    return StepReport(
        step=step,
        loss=float(loss.detach()),
        gradient_norm=norm,
        learning_rate=learning_rate,
        tokens=sum(len(s.ids) for s in episode.sentences),
        taught_tokens=float(len(losses)),
        seconds=time.monotonic() - began,
    )
