"""Attention over packed lessons, with gradients.

Plain products: on a CPU their gradients take half the time of the fused kernel's. Registered under
`NAME` for any model that lets its attention be chosen. Knows no prompt.
"""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import AttentionInterface

from training.packed import Stretch

NAME = "wraner_tree"


def tree_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _: torch.Tensor | None,
    scaling: float | None = None,
    *,
    stretches: Sequence[Stretch],
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
    queries, keys, values = query[0] * scale, key[0], value[0]
    found = [
        _attend(queries[:, s.first : s.end], _columns(keys, s), _columns(values, s), mask=s.mask)
        for s in stretches
    ]
    return torch.cat(found, dim=1).transpose(0, 1)[None], None


def _columns(whole: torch.Tensor, stretch: Stretch) -> torch.Tensor:
    own = whole[:, stretch.first : stretch.end]
    start, end = stretch.seen
    return torch.cat([whole[:, start:end], own], dim=1) if end > start else own


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
