"""Attention whose query heads share key heads without copying those (grouped-query attention).

transformers repeats keys and values once a query head before it multiplies; with long prompts in
a batch that copy costs more than the product. Here the heads of a group become rows of one product.
Registered under `NAME` for any model that lets its attention be chosen.
"""

from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

NAME = "wraner_grouped"


def grouped_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attend; `attention_mask` is added to the products.

    *Shape:* query (rows, heads, tokens, d), key and value (rows, kv_heads, columns, d), mask
    (rows, 1, tokens, columns); returns (rows, tokens, heads, d).

    Raises:
        NotImplementedError: the model wants attention of another kind.
    """
    if kwargs.get("softcap") is not None or kwargs.get("s_aux") is not None:
        raise NotImplementedError("expected plain attention, was: a model with soft caps or sinks")
    rows, heads, tokens, _ = query.shape
    shared = key.shape[1]
    out = torch.nn.functional.scaled_dot_product_attention(
        query.reshape(rows, shared, -1, query.shape[3]),
        key,
        value,
        attn_mask=attention_mask.repeat(1, 1, heads // shared, 1),
        scale=scaling,
    )
    return out.reshape(rows, heads, tokens, value.shape[3]).transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, grouped_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
