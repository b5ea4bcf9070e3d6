"""Attention over prompts of different lengths, packed one behind the other without padding.

Each prompt's tokens look at that prompt's own keys up to themselves and, before those, at keys that
it shares with others, which are held once and taken in one product for all that share them.
Prompts that bring a few new tokens go through one masked product together; long stretches of tokens
are taken prompt by prompt, in blocks behind which little is computed that a mask would throw away.
Query heads that share a key head become rows of one product (grouped-query attention without
copies). Sizes are rounded up, since a CPU's matrix products are compiled, and kept, for each size.
Registered under `NAME` for any model that lets its attention be chosen; works on what `slots`
hands through the model. Knows no prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

NAME = "wraner_packed"

# So many query tokens at a time: large enough to fill a product, small enough that what lies
# behind a block's last token, which is left out, is most of what a causal mask would hide.
_BLOCK = 128
# Up to here a prompt's tokens are few: faster through one masked product (measured, CPU).
FEW = 16
# Columns of a prompt come in multiples of this, a block's tokens in multiples of `FEW`.
COLUMNS = 64
_KEPT_COLUMNS = 2048


@dataclass(frozen=True, slots=True)
class Shared:
    """Columns that stand before the own ones of several prompts.

    `rows` numbers these among the prompts that are taken together; None: they are all of those.
    *Shape:* keys and values (kv_heads, columns, d).
    """

    rows: torch.Tensor | None
    keys: torch.Tensor
    values: torch.Tensor


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where one prompt's new tokens stand in a packed run, and what they may look at.

    The new tokens are the last of `columns`; keys and values may have room behind them. *Shape:*
    keys and values (1, kv_heads, columns and room, d).
    """

    first: int
    tokens: int
    columns: int
    shared: Sequence[Shared]
    keys: torch.Tensor
    values: torch.Tensor


@dataclass(frozen=True, slots=True)
class Few:
    """The first prompts of a run, with a few new tokens each, and what those may look at.

    Token ``i`` of the run is token ``at[i]`` of prompt ``row[i]``. *Shape:* keys and values
    (rows, kv_heads, columns, d); mask (rows, tokens, columns), added to the products.
    """

    row: torch.Tensor
    at: torch.Tensor
    mask: torch.Tensor
    shared: Sequence[Shared]
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
    """Let each prompt's new tokens attend to its columns; `value` repeats `key`.

    Tokens of no prompt are given zeros. *Shape:* query (1, heads, tokens, d); returns (1, tokens,
    heads, d).

    Raises:
        NotImplementedError: the model wants attention of another kind.
    """
    if kwargs.get("softcap") is not None or kwargs.get("s_aux") is not None:
        raise NotImplementedError("expected plain attention, was: a model with soft caps or sinks")
    if kwargs.get("sliding_window") is not None:
        raise NotImplementedError("expected full attention, was: a model with a sliding window")
    scale = query.shape[3] ** -0.5 if scaling is None else scaling
    tokens = query[0].transpose(0, 1) * scale
    out = torch.zeros_like(tokens)
    if key.few is not None:
        end = len(key.few.row)
        out[:end] = _attend_few(tokens[:end], key.few)
    for stretch in key.stretches:
        end = stretch.first + stretch.tokens
        for start in range(stretch.first, end, _BLOCK):
            stop = min(start + _BLOCK, end)
            before = stretch.columns - (end - start)
            out[start:stop] = _attend_block(tokens[start:stop], stretch, before)
    return out[None], None


def _attend_block(query: torch.Tensor, stretch: Stretch, before: int) -> torch.Tensor:
    """Attend causally, behind `before` of the columns; *shape:* query (tokens, heads, d)."""
    (tokens, heads, size), kv_heads = query.shape, stretch.keys.shape[1]
    padded = query.new_zeros(rounded_up(tokens, FEW), heads, size)
    padded[:tokens] = query
    width = rounded_up(before + tokens, COLUMNS)
    keys = torch.cat([*(part.keys for part in stretch.shared), stretch.keys[0, :, :width]], 1)
    values = torch.cat([*(part.values for part in stretch.shared), stretch.values[0, :, :width]], 1)
    columns, groups = keys.shape[1], heads // kv_heads
    # A mask of many columns costs little beside its attention, and much to keep.
    hiding = _triangle if columns <= _KEPT_COLUMNS else _triangle.__wrapped__
    found = scaled_dot_product_attention(
        padded.transpose(0, 1).reshape(1, kv_heads, -1, size),
        keys[None],
        values[None],
        attn_mask=hiding(len(padded), columns, width - before, groups, query.dtype, query.device),
        scale=1.0,
    )
    return found.view(heads, -1, size).transpose(0, 1)[:tokens]


@lru_cache(maxsize=64)  # the same in every layer
def _triangle(
    tokens: int,
    columns: int,
    behind: int,
    heads: int,
    dtype: torch.dtype,
    device: torch.device,
) -> torch.Tensor:
    """Return what hides from each of a block's tokens, in each of so many heads, those of the
    `behind` last columns that stand behind it; *shape:* (heads x tokens, columns).
    """
    hidden = torch.zeros(tokens, columns, dtype=dtype, device=device)
    last = hidden[:, columns - behind :]
    last.copy_(torch.full_like(last, float("-inf")).triu(1))
    return hidden.repeat(heads, 1)


def _attend_few(query: torch.Tensor, few: Few) -> torch.Tensor:
    """*Shape:* query (all tokens, heads, d); returns the same."""
    padded = query.new_zeros(len(few.mask), few.mask.shape[1], *query.shape[1:])
    padded[few.row, few.at] = query
    return _attend(padded, few.shared, few.keys, few.values, few.mask)[few.row, few.at]


def _attend(
    query: torch.Tensor,
    shared: Sequence[Shared],
    keys: torch.Tensor,
    values: torch.Tensor,
    mask: torch.Tensor,
) -> torch.Tensor:
    """Attend to the shared columns and the own, `mask` being added to these.

    Their products stand side by side under one softmax. *Shape:* query (rows, tokens, heads, d),
    keys and values (rows, kv_heads, own columns, d); returns as `query`.
    """
    (rows, tokens, _, size), kv_heads = query.shape, keys.shape[1]
    grouped = query.transpose(1, 2).reshape(rows, kv_heads, -1, size)
    most = max((part.keys.shape[1] for part in shared), default=0)
    scores = query.new_empty(*grouped.shape[:3], most + keys.shape[2])
    torch.bmm(grouped.flatten(0, 1), keys.flatten(0, 1).mT, out=scores.flatten(0, 1)[..., most:])
    own = scores[..., most:]
    own.view(rows, kv_heads, -1, tokens, own.shape[3]).add_(mask[:, None, None])
    if any(part.rows is not None for part in shared):
        scores[..., :most] = float("-inf")
    for part in shared:
        at = slice(None) if part.rows is None else part.rows
        into = scores[..., : part.keys.shape[1]]
        if rows == 1:
            torch.bmm(grouped[0], part.keys.mT, out=into[0])
            continue
        asked = grouped[at].transpose(0, 1)
        product = torch.bmm(asked.flatten(1, 2), part.keys.mT)
        into[at] = product.view(*asked.shape[:3], -1).transpose(0, 1)
    weights = torch.softmax(scores, dim=-1)
    found = torch.bmm(weights.flatten(0, 1)[..., most:], values.flatten(0, 1)).view_as(grouped)
    for part in shared:
        at = slice(None) if part.rows is None else part.rows
        given = weights[at, ..., : part.values.shape[1]].transpose(0, 1)
        product = torch.bmm(given.flatten(1, 2), part.values)
        found[at] += product.view(*given.shape[:3], -1).transpose(0, 1)
    return found.view(rows, -1, tokens, size).transpose(1, 2)


def rounded_up(count: int, step: int) -> int:
    """Return the least multiple of `step` that is no less than `count`."""
    return -(-count // step) * step


AttentionInterface.register(NAME, packed_attention)
