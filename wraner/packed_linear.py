"""Linear layers whose weights lie as a CPU's matrix product wants them.

oneDNN otherwise lays them out anew in every call, which costs a step of a few tokens a third of its
time. For inference only: such a layer has no weights that an optimiser could see. Knows no model.
"""

from typing import Any, cast

import torch


class PackedLinear(torch.nn.Module):
    """A linear layer that multiplies in `dtype`, whatever it is given."""

    def __init__(self, linear: torch.nn.Linear, dtype: torch.dtype) -> None:
        super().__init__()
        weight = linear.weight.detach().to(dtype)
        self._dtype = dtype
        self._bias = None if linear.bias is None else linear.bias.detach().to(dtype)
        self._packed = weight.device.type == "cpu" and _is_packable(dtype)
        reorder = torch.ops.mkldnn._reorder_linear_weight
        self._weight = reorder(weight, None) if self._packed else weight

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """*Shape:* (…, in) to (…, out)."""
        given = hidden.to(self._dtype)
        if not self._packed:
            return torch.nn.functional.linear(given, self._weight, self._bias)
        product = torch.ops.mkldnn._linear_pointwise
        return cast(torch.Tensor, product(given, self._weight, self._bias, "none", [], ""))


def _is_packable(dtype: torch.dtype) -> bool:
    """Return whether this CPU's products take packed weights of a dtype: bf16 needs AVX-512."""
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    return dtype is not torch.bfloat16 or bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def pack(model: Any) -> None:
    """Replace a transformers model's linear layers, the output head by one in fp32.

    A bf16 logit of 20 comes in steps of an eighth: too coarse to weigh yes against no.
    """
    model.set_output_embeddings(PackedLinear(model.get_output_embeddings(), torch.float32))
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is torch.nn.Linear:
                setattr(parent, name, PackedLinear(child, child.weight.dtype))
    for parameter in model.parameters():  # else the whole file of weights stays mapped
        parameter.data = parameter.data.clone()
