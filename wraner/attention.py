"""Attention over prompts of different lengths, packed one behind the other without padding.

Each prompt's tokens look at that prompt's own keys up to themselves. Prompts that bring a few new
tokens go through one masked product together; long stretches of tokens are taken prompt by prompt,
in blocks behind which nothing is computed that a mask would throw away. Query heads that share a
key head become rows of one product (grouped-query attention without copies). Registered under
`NAME` for any model that lets its attention be chosen; works on what `slots` hands through the
model. Knows no prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from transformers import AttentionInterface

NAME = "wraner_packed"

# So many query tokens at a time: large enough to fill a product, small enough that what lies
# behind a block's last token, which is left out, is most of what a causal mask would hide.
_BLOCK = 128
# Up to here a prompt's tokens are few: faster through one fused, masked product (measured, CPU).
FEW = 16


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where one prompt's new tokens stand in a packed run, and what they may look at.

    *Shape:* keys and values (kv_heads, columns, d); the new tokens are the last columns.
    """

    first: int
    tokens: int
    keys: torch.Tensor
    values: torch.Tensor


@dataclass(frozen=True, slots=True)
class Few:
    """The first prompts of a run, with a few new tokens each, and what those may look at.

    Token ``i`` of the run is token ``at[i]`` of prompt ``row[i]``. *Shape:* keys and values
    (rows, kv_heads, columns, d); mask (rows, 1, tokens, columns), added to the products.
    """

    row: torch.Tensor
    at: torch.Tensor
    mask: torch.Tensor
    keys: torch.Tensor
    values: torch.Tensor


@dataclass(frozen=True, slots=True)
class Seen:
    """All prompts of a run: those with few tokens, then the others."""

    few: Few | None
    stretches: Sequence[Stretch]


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: Seen,
    value: Seen,
    _: torch.Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Let each prompt's new tokens attend to its own columns; `value` repeats `key`.

    *Shape:* query (1, heads, tokens, d); returns (1, tokens, heads, d).

    Raises:
        NotImplementedError: the model wants attention of another kind.
    """
    if kwargs.get("softcap") is not None or kwargs.get("s_aux") is not None:
        raise NotImplementedError("expected plain attention, was: a model with soft caps or sinks")
    if kwargs.get("sliding_window") is not None:
        raise NotImplementedError("expected full attention, was: a model with a sliding window")
    scale = query.shape[3] ** -0.5 if scaling is None else scaling
    tokens = query[0].transpose(0, 1)
    out = torch.empty(tokens.shape, dtype=tokens.dtype, device=tokens.device)
    if key.few is not None:
        end = len(key.few.row)
        out[:end] = _attend_few(tokens[:end], key.few, scale)
    for stretch in key.stretches:
        end = stretch.first + stretch.tokens
        for start in range(stretch.first, end, _BLOCK):
            stop = min(start + _BLOCK, end)
            width = stretch.keys.shape[1] - (end - stop)
            seen = stretch.keys[:, :width], stretch.values[:, :width]
            out[start:stop] = _attend(tokens[start:stop] * scale, *seen)
    return out[None], None


def _attend(query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Attend causally, the queries being the last of the columns.

    *Shape:* query (tokens, heads, d), keys (kv_heads, columns, d); returns (tokens, heads, d).
    """
    tokens, heads, size = query.shape
    grouped = query.transpose(0, 1).reshape(keys.shape[0], -1, size)
    scores = torch.matmul(grouped, keys.transpose(1, 2))
    own = scores.view(keys.shape[0], -1, tokens, keys.shape[1])[..., -tokens:]
    own.add_(_triangle(tokens, scores.dtype, scores.device))
    found = torch.matmul(torch.softmax(scores, dim=-1), values)
    return found.view(heads, tokens, -1).transpose(0, 1)


@lru_cache(maxsize=_BLOCK)  # the same in every layer
def _triangle(tokens: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Return what hides from each of a block's tokens those behind it."""
    return torch.full((tokens, tokens), float("-inf"), dtype=dtype, device=device).triu(1)


def _attend_few(query: torch.Tensor, few: Few, scale: float) -> torch.Tensor:
    """*Shape:* query (all tokens, heads, d); returns the same."""
    rows, shared = few.keys.shape[:2]
    padded = query.new_zeros(rows, few.mask.shape[2], *query.shape[1:])
    padded[few.row, few.at] = query
    grouped = padded.transpose(1, 2).reshape(rows, shared, -1, query.shape[2])
    found = torch.nn.functional.scaled_dot_product_attention(
        grouped,
        few.keys,
        few.values,
        attn_mask=few.mask.repeat(1, 1, query.shape[1] // shared, 1),
        scale=scale,
    )
    return found.view(rows, query.shape[1], -1, query.shape[2])[few.row, :, few.at]


AttentionInterface.register(NAME, packed_attention)
