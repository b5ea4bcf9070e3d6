"""Low-rank adapters (Hu et al. 2021) on frozen linear layers, trained in few passes over memory.

The product of a layer and its adapter is one function with its own gradient: the frozen weights
need none, and the low-rank factors join in with products that add in place. Factors are fp32; they
are read and written as PEFT's files, so any PEFT release loads what was trained here. Knows no
data and no schedule.
"""

import json
import re
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import load_file, save_file

from wraner.adapters import CONFIG, WEIGHTS
from wraner.errors import InvalidInput

_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True)
class LoraShape:
    """What is adapted: the linear layers whose own names are `targets`, with factors of `rank`.

    The low-rank product is scaled by ``alpha / rank``; `dropout` falls on what goes into it.
    `task` is PEFT's name for what the model does.
    """

    rank: int
    alpha: int
    dropout: float
    targets: tuple[str, ...]
    task: str = "CAUSAL_LM"


class _Adapted(torch.autograd.Function):
    """``x Wᵀ + s (x Aᵀ) Bᵀ``, *shape:* x (tokens, in), W (out, in), A (rank, in), B (out, rank)."""

    @staticmethod
    def forward(ctx: Any, *given: torch.Tensor) -> torch.Tensor:
        hidden, narrowed, weight, down, up = given
        inner = narrowed @ down.t()
        ctx.save_for_backward(narrowed, weight, down, up, inner)
        ctx.apart = narrowed is not hidden
        return (hidden @ weight.t()).addmm_(inner, up.t())

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (grad,) = grads
        narrowed, weight, down, up, inner = ctx.saved_tensors
        inner_grad = grad @ up
        through, apart = grad @ weight, None
        if ctx.apart:
            apart = inner_grad @ down
        else:
            through.addmm_(inner_grad, down)
        return through, apart, None, inner_grad.t() @ narrowed, grad.t() @ inner


class LoraLinear(torch.nn.Module):
    """A frozen linear layer with its adapter; starts as the layer alone (B is zero)."""

    def __init__(self, linear: torch.nn.Linear, shape: LoraShape) -> None:
        super().__init__()
        self.frozen = linear.requires_grad_(False)
        self.lora_A = torch.nn.Parameter(torch.empty(shape.rank, linear.in_features))
        self.lora_B = torch.nn.Parameter(torch.zeros(linear.out_features, shape.rank))
        torch.nn.init.kaiming_uniform_(self.lora_A, a=5**0.5)  # as PEFT begins
        self._scale = shape.alpha / shape.rank
        self._dropout = shape.dropout

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """*Shape:* (…, in) to (…, out)."""
        device = hidden.device.type
        cast_to = _autocast_dtype(device)
        dtype = cast_to or self.frozen.weight.dtype
        rows = hidden.flatten(0, -2).to(dtype)
        narrowed = rows
        if self._dropout and self.training:
            narrowed = torch.nn.functional.dropout(rows, self._dropout)
        weight = self.frozen.weight.to(dtype)
        down, up = self.lora_A.to(dtype), (self.lora_B * self._scale).to(dtype)
        # Autocast knows no addmm_.
        with torch.autocast(device, enabled=False) if cast_to else nullcontext():
            out = cast(torch.Tensor, _Adapted.apply(rows, narrowed, weight, down, up))  # type: ignore[no-untyped-call]
        if self.frozen.bias is not None:
            out = out + self.frozen.bias.to(dtype)
        return out.view(*hidden.shape[:-1], -1)


def _autocast_dtype(device: str) -> torch.dtype | None:
    """Return what autocast has layers compute in; None where it is off, or no device has it."""
    if not torch.amp.is_autocast_available(device) or not torch.is_autocast_enabled(device):
        return None
    return torch.get_autocast_dtype(device)


def attach(model: torch.nn.Module, shape: LoraShape) -> None:
    """Freeze a transformers model and put an adapter on each targeted linear layer, in place.

    Raises:
        InvalidInput: a target names no linear layer of the model.
    """
    names = linear_names(model)
    missing = sorted(set(shape.targets) - set(names))
    if missing:
        raise InvalidInput(
            f"expected targets among the model's linear layers ({', '.join(names)}), "
            f"was: {', '.join(missing)}"
        )
    model.requires_grad_(False)
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if name in shape.targets and isinstance(child, torch.nn.Linear):
                setattr(parent, name, LoraLinear(child, shape))


def factors(model: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Parameter]]:
    """Yield what is trained, by name, in an order that depends on the model alone."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            yield name, parameter


def save(
    model: torch.nn.Module,
    shape: LoraShape,
    folder: Path,
    *,
    dtype: torch.dtype,
    metadata: tuple[str, str] = ("format", "pt"),
) -> None:
    """Write the adapter as PEFT's two files, its factors in `dtype`.

    `metadata` is what the file says of itself: one name with its value, since safetensors writes
    several in any order and the same training is to give the same bytes.
    """
    from peft import LoraConfig

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        f"{_PREFIX}{name}.weight": p.detach().to("cpu", dtype).contiguous()
        for name, p in factors(model)
    }
    save_file(tensors, folder / WEIGHTS, metadata=dict([metadata]))
    LoraConfig(
        r=shape.rank,
        lora_alpha=shape.alpha,
        lora_dropout=shape.dropout,
        target_modules=sorted(shape.targets),
        task_type=shape.task,
        inference_mode=True,
    ).save_pretrained(str(folder))
    # PEFT keeps targets as a set; in a fixed order the same training gives the same content hash.
    written = json.loads((folder / CONFIG).read_text())
    written["target_modules"] = sorted(shape.targets)
    (folder / CONFIG).write_text(json.dumps(written, indent=2, sort_keys=True) + "\n")


def load(model: torch.nn.Module, folder: Path) -> None:
    """Set the factors of an attached model to those of PEFT's file, to go on from there.

    Raises:
        InvalidInput: the file was trained with another shape or for another model.
    """
    stored = {
        re.sub(r"\.weight$", "", name.removeprefix(_PREFIX)): tensor
        for name, tensor in load_file(folder / WEIGHTS).items()
    }
    own = dict(factors(model))
    unlike = sorted(
        {n for n, t in stored.items() if n not in own or own[n].shape != t.shape}
        | (own.keys() - stored.keys())
    )
    if unlike:
        raise InvalidInput(
            f"expected factors of the same shape and layers as the run's, was: an adapter that "
            f"differs in {len(unlike)} of them, such as {unlike[0]}; set rank and targets as its "
            "manifest says"
        )
    with torch.no_grad():
        for name, parameter in own.items():
            parameter.copy_(stored[name])


def linear_names(model: torch.nn.Module) -> list[str]:
    """Return the own names of a model's linear layers, without its output head."""
    whole: Any = model
    head = whole.get_output_embeddings()
    linear = (
        n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear) and m is not head
    )
    return sorted({name.rsplit(".", 1)[-1] for name in linear})
