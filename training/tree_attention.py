"""Attention over packed lessons, with gradients.

Plain products on a CPU, where their gradients take half the time of the fused kernel's; the fused
kernel where a run is padded for an accelerator. Registered under `NAME` for any model that lets its
attention be chosen. Knows no prompt.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import AttentionInterface

from training.tree_layout import Bucket, Layout, Masked, Padded

NAME = "wraner_tree"

# Without cuDNN's, which plans anew for each shape, and no two runs have the same.
_KERNELS = [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]


def tree_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _: torch.Tensor | None,
    scaling: float | None = None,
    *,
    stretches: Layout,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Let each stretch attend to what it sees.

    *Shape:* query (1, heads, tokens, d), key and value (1, kv_heads, tokens, d); returns (1,
    tokens, heads, d).

    Raises:
        NotImplementedError: the model wants attention of another kind.
    """
    if any(kwargs.get(name) is not None for name in ("softcap", "s_aux", "sliding_window")):
        raise NotImplementedError(
            "expected plain full attention, was: a model with soft caps, sinks or sliding windows"
        )
    scale = query.shape[3] ** -0.5 if scaling is None else scaling
    queries, keys, values = query[0], key[0], value[0]
    if isinstance(stretches, Padded):
        rows = [_attend_bucket(queries, keys, values, b, scale) for b in stretches.buckets]
        return torch.cat(rows).index_select(0, stretches.places)[None], None
    asking = torch.split(queries * scale, [s.tokens for s in stretches], dim=1)
    seen = zip(_columns(keys, stretches), _columns(values, stretches), strict=True)
    found = [
        _attend(own, *columns, mask=s.mask)
        for s, own, columns in zip(stretches, asking, seen, strict=True)
    ]
    return torch.cat(found, dim=1).transpose(0, 1)[None], None


def _attend_bucket(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, bucket: Bucket, scale: float
) -> torch.Tensor:
    """*Shape:* queries (heads, tokens, d); returns (all of the bucket's rows, heads, d)."""
    shared = len(queries) // len(keys)
    attend = torch.nn.functional.scaled_dot_product_attention
    with sdpa_kernel(_KERNELS):
        found = attend(
            _gathered(queries, bucket.rows),
            _gathered(keys, bucket.columns).repeat_interleave(shared, dim=1),
            _gathered(values, bucket.columns).repeat_interleave(shared, dim=1),
            attn_mask=bucket.mask,
            scale=scale,
        )
    return found.transpose(1, 2).flatten(0, 1)


def _gathered(whole: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
    """*Shape:* whole (heads, tokens, d), numbers (stretches, n); (stretches, heads, n, d)."""
    picked = whole.index_select(1, numbers.flatten())
    return picked.view(len(whole), *numbers.shape, -1).transpose(0, 1)


def _columns(whole: torch.Tensor, stretches: Sequence[Masked]) -> list[torch.Tensor]:
    """Return what each stretch sees, its own columns last.

    Split, and what several see taken once: each slice's gradient would be as large as the whole.
    """
    own = torch.split(whole, [s.tokens for s in stretches], dim=1)
    before = {seen: whole[:, slice(*seen)] for seen in {s.seen for s in stretches}}
    return [
        torch.cat([before[s.seen], columns], dim=1) if before[s.seen].shape[1] else columns
        for s, columns in zip(stretches, own, strict=True)
    ]


def _attend(
    query: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, *, mask: torch.Tensor
) -> torch.Tensor:
    """*Shape:* query (heads, tokens, d), keys (kv_heads, columns, d); returns the query's."""
    heads, tokens, size = query.shape
    shared = keys.shape[0]
    grouped = query.reshape(shared, -1, size)
    scores = torch.matmul(grouped, keys.transpose(1, 2)).view(shared, heads // shared, tokens, -1)
    weights = torch.softmax(scores + mask, dim=-1).view(shared, -1, keys.shape[1])
    return torch.matmul(weights, values).view(heads, tokens, size)


AttentionInterface.register(NAME, tree_attention)
