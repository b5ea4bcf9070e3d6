"""The tuning of an encoder for policy sets: texts that breach the same policy are drawn together.

Neighbourhood components analysis (Goldberger et al. 2004), as for words, with one vector a text:
each text guesses from the others whether it breaches anything, both sides weighing alike, and which
policy. So the nearest examples of a policy set are evidence, for policies that came later too. A
step is a function of the seed and its number. Knows no files.
"""

import time
from collections.abc import Callable, Sequence

import torch

from index.subwords import SubwordReader, Subwords
from index.word_model import WordModel
from training import lora
from training.divergence import check_finite
from training.loop import StepReport, rate
from training.policy_episodes import PolicyEpisode, PolicyEpisodes
from training.policy_settings import PolicySettings

_NEVER = -1e4


def tune_for_policies(
    model: WordModel,
    episodes: PolicyEpisodes,
    *,
    reader: SubwordReader,
    settings: PolicySettings,
    on_step: Callable[[StepReport], None],
) -> None:
    """Train a tunable model's factors and table; `on_step` hears of every update.

    Raises:
        InvalidInput: a loss is not finite.
    """
    trained = [parameter for _, parameter in lora.factors(model)]
    optimiser = torch.optim.AdamW(trained, weight_decay=settings.weight_decay)
    for step in range(1, settings.steps + 1):
        began = time.monotonic()
        episode = episodes.step(step)
        model.train()
        torch.manual_seed(hash((settings.seed, step)))
        read = [reader.read(text) for text in episode.texts]
        vectors = text_vectors(model, read, reader=reader, longest=settings.longest_subwords)
        loss = neighbour_loss(vectors, episode, settings=settings)
        norm = _update(optimiser, trained, loss, settings=settings, step=step)
        on_step(
            StepReport(
                step=step,
                loss=float(loss.detach()),
                gradient_norm=norm,
                learning_rate=rate(settings, step),
                tokens=sum(min(len(r.ids), settings.longest_subwords) for r in read),
                taught_tokens=float(len(episode.texts)),
                seconds=time.monotonic() - began,
            )
        )


def _update(
    optimiser: torch.optim.AdamW,
    trained: Sequence[torch.nn.Parameter],
    loss: torch.Tensor,
    *,
    settings: PolicySettings,
    step: int,
) -> float:
    """Make one update; return the gradient's norm."""
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    norm = float(torch.nn.utils.clip_grad_norm_(trained, settings.clip_norm))
    check_finite(step, loss=float(loss.detach()), gradient_norm=norm)
    for group in optimiser.param_groups:
        group["lr"] = rate(settings, step)
    optimiser.step()
    return norm


def text_vectors(
    model: WordModel, read: Sequence[Subwords], *, reader: SubwordReader, longest: int
) -> torch.Tensor:
    """Return unit means over subwords, so many at most, and marks. *Shape:* (n_texts, width)."""
    before, after = reader.before, reader.after
    ids = [torch.tensor(before + r.ids[:longest] + after) for r in read]
    cases = [torch.tensor([0] * len(before) + r.cases[:longest] + [0] * len(after)) for r in read]
    mask = _padded([torch.ones_like(row) for row in ids])
    with torch.autocast("cpu", torch.bfloat16):
        rows = model(_padded(ids), _padded(cases), mask)
    sums = (rows.float() * mask[..., None]).sum(dim=1)
    return torch.nn.functional.normalize(sums, dim=1)


def neighbour_loss(
    vectors: torch.Tensor, episode: PolicyEpisode, *, settings: PolicySettings
) -> torch.Tensor:
    """Return the loss of a step's texts, in nats.

    The mean of -log of the share of votes that go to a text's own side, and, weighed by
    `policy_share`, of the share that goes to texts about a policy of its own. *Shape:* vectors
    (n_texts, width), unit rows.
    """
    votes = vectors @ vectors.t() / settings.temperature
    votes = votes.masked_fill(torch.eye(len(votes), dtype=torch.bool), _NEVER)
    breaches, judged = torch.from_numpy(episode.breaches), torch.from_numpy(episode.judged)
    about = torch.from_numpy(episode.about).float()
    same = (about @ about.t()) > 0
    which = _mean_loss(votes, same)
    sides = torch.stack([breaches & judged, ~breaches & judged])
    weight = -(sides.sum(dim=1).clamp(min=1).log()) @ sides.float()  # both sides weigh alike
    votes, weight = votes[judged][:, judged], weight[judged]
    whether = _mean_loss(votes + weight, breaches[judged][:, None] == breaches[judged][None])
    return whether + settings.policy_share * which


def _mean_loss(votes: torch.Tensor, partners: torch.Tensor) -> torch.Tensor:
    partners = partners & ~torch.eye(len(votes), dtype=torch.bool)
    asked = partners.any(dim=1)
    own = votes.masked_fill(~partners, _NEVER)[asked].logsumexp(dim=1)
    losses = votes[asked].logsumexp(dim=1) - own
    return losses.sum() / max(1, len(losses))


def _padded(rows: Sequence[torch.Tensor]) -> torch.Tensor:
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True)
