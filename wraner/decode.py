"""The decode loop: many prompts through one causal model, each answer within its own grammar.

Rows are padded on the left with explicit positions and masks; a finished row leaves the batch.
Knows no queue.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache, PreTrainedModel

from wraner.grammar import GrowingAnswer


@dataclass(frozen=True, slots=True)
class Row:
    """One prompt in a batch; `abandoned` says that nobody waits for the answer any more."""

    ids: tuple[int, ...]
    answer: GrowingAnswer
    abandoned: Callable[[], bool]


@torch.inference_mode()
def grow(model: PreTrainedModel, rows: Sequence[Row], *, pad: int) -> None:
    """Grow every row's answer until it is done or abandoned.

    Each step takes the likeliest permitted token; its probability is renormalised over those
    permitted.
    """
    rows = [row for row in rows if not row.answer.done]
    if not rows:
        return
    ids, mask = _left_padded([row.ids for row in rows], pad, model.device)
    cache = DynamicCache()
    feed = ids
    while True:
        logits = _forward(model, feed, mask, cache, keep=1)[:, -1]
        tokens = [_step(row, logits[i]) for i, row in enumerate(rows)]
        alive = [i for i, row in enumerate(rows) if not (row.answer.done or row.abandoned())]
        if not alive:
            return
        if len(alive) < len(rows):
            index = torch.tensor(alive, device=model.device)
            cache.batch_select_indices(index)
            mask = mask[index]
            rows = [rows[i] for i in alive]
        feed = torch.tensor([[tokens[i]] for i in alive], device=model.device)
        mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)


def _step(row: Row, logits: torch.Tensor) -> int:
    permitted = row.answer.permitted().to(logits.device)
    if not permitted.any():  # the tokenizer cannot spell what must come
        row.answer.done = row.answer.truncated = True
        return 0
    logprobs = torch.log_softmax(logits.float().masked_fill(~permitted, -torch.inf), dim=-1)
    token = int(logprobs.argmax())
    row.answer.accept(token, float(logprobs[token]))
    return token


@torch.inference_mode()
def weigh(
    model: PreTrainedModel,
    prompts: Sequence[tuple[int, ...]],
    continuations: Sequence[Sequence[Sequence[int]]],
    *,
    pad: int,
) -> list[tuple[float, ...]]:
    """Return the log-probability of each prompt's continuations, natural log, summed over tokens.

    Continuations that differ in their last token alone share one row.
    """
    rows: dict[tuple[int, ...], int] = {}
    for prompt, options in zip(prompts, continuations, strict=True):
        for option in options:
            rows.setdefault((*prompt, *option[:-1]), len(rows))
    longest = max(len(option) for options in continuations for option in options)
    ids, mask = _left_padded(list(rows), pad, model.device)
    logits = _forward(model, ids, mask, None, keep=longest)
    logprobs = torch.log_softmax(logits.float(), dim=-1)

    def of(prompt: tuple[int, ...], option: Sequence[int]) -> float:
        steps = logprobs[rows[(*prompt, *option[:-1])], -len(option) :]
        picked = steps.gather(1, torch.tensor(option, device=steps.device)[:, None])
        return float(picked.sum())

    return [
        tuple(of(prompt, option) for option in options)
        for prompt, options in zip(prompts, continuations, strict=True)
    ]


def _left_padded(
    rows: Sequence[Sequence[int]], pad: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids and mask, both int64 of shape [rows, longest]."""
    longest = max(len(ids) for ids in rows)
    ids = [[pad] * (longest - len(r)) + list(r) for r in rows]
    mask = [[0] * (longest - len(r)) + [1] * len(r) for r in rows]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def _forward(
    model: PreTrainedModel,
    feed: torch.Tensor,
    mask: torch.Tensor,
    cache: DynamicCache | None,
    *,
    keep: int,
) -> torch.Tensor:
    """Return the logits of the last `keep` positions, shape [rows, keep, vocabulary]."""
    positions = (mask.cumsum(-1) - 1).clamp(min=0)[:, -feed.shape[1] :]
    call: Any = model
    logits: torch.Tensor = call(
        input_ids=feed,
        attention_mask=mask,
        position_ids=positions,
        past_key_values=cache,
        use_cache=cache is not None,
        logits_to_keep=keep,
    ).logits
    return logits
