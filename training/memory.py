"""How much memory a run takes, counted before it is tried.

The model is built from its configuration alone, without weights, and one run of it is followed on
PyTorch's meta device: every tensor that the backward pass keeps is counted, none is computed.

    python -m training.memory training/configs/ner-8b.yaml [--model FOLDER]

Knows no data.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from training import lora, tree_attention
from training.loop import logits_of
from training.objective import supervised
from training.packed import Lesson, Lessons, Packer
from training.settings import TrainingSettings, read_settings
from wraner import weights
from wraner.chat import EncodedPrompt

GIB = 2**30
_BF16, _FP32 = 2, 4


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes that a run takes, as far as it can be said without trying.

    `weights` are frozen, in bf16. `adapter` is the factors, their gradients and AdamW's two
    moments, in fp32. `kept` is what the backward pass of one run keeps, attention's weights among
    it; an accelerator's fused kernel keeps less. Workspace of products and what an allocator holds
    come on top.
    """

    weights: int
    adapter: int
    kept: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.weights + self.adapter + self.kept


def main() -> None:
    """Print what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--model", help="a folder with the model's config.json, or a hub id")
    parser.add_argument("--state", type=Path, default=Path("state"))
    args = parser.parse_args()
    settings = read_settings(args.config)
    base = args.model or settings.base
    if base == weights.BUNDLED:
        base = str(weights.resolve(base, args.state / "models").path)
    auto: Any = AutoConfig
    counted = count_memory(settings, auto.from_pretrained(base))
    for name in ("weights", "adapter", "kept", "total"):
        print(f"{name:8} {getattr(counted, name) / GIB:7.2f} GiB")


def count_memory(settings: TrainingSettings, architecture: Any) -> Memory:
    """Count what one run of `settings.optimiser.run_tokens` tokens takes with this architecture.

    Half of its tokens are examples and questions, the others answers, about as in the lessons.
    """
    architecture._attn_implementation = tree_attention.NAME
    auto: Any = AutoModelForCausalLM
    with torch.device("meta"):
        model = auto.from_config(architecture, dtype=torch.bfloat16)
        targets = settings.lora.targets or tuple(lora.linear_names(model))
        lora.attach(
            model,
            lora.LoraShape(settings.lora.rank, settings.lora.alpha, settings.lora.dropout, targets),
        )
        factors = sum(p.numel() for _, p in lora.factors(model))
        weights = sum(p.numel() for p in model.parameters()) - factors
        kept = bytes_kept(model, settings)
    return Memory(weights * _BF16, factors * _FP32 * 4, kept)


def bytes_kept(model: Any, settings: TrainingSettings) -> int:
    """Return the bytes of all tensors that the backward pass of one run keeps, weights aside.

    The model has its adapter, and lies on the device where the run is tried.
    """
    frozen = {p.untyped_storage()._cdata for p in model.parameters()}
    seen: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.untyped_storage()._cdata not in frozen:
            seen.setdefault(tensor.untyped_storage()._cdata, tensor)
        return tensor

    packer = Packer(
        settings.prompts.view,
        shown_weight=0.0,
        end_of_turn=0,
        dtype=model.dtype,
        device=model.device,
    )
    packed = packer.pack([_lessons(settings.optimiser.run_tokens, settings.prompts.questions)])
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = supervised(logits_of(model, packed), packed)
    held = sum(t.untyped_storage().nbytes() for t in seen.values())
    del loss
    return held


def _lessons(tokens: int, questions: int) -> Lessons:
    prefix = tuple([1] * (tokens // 8))
    each = (tokens - len(prefix)) // questions
    answer = tuple([1] * (each // 2))
    prompt = EncodedPrompt(prefix, (), tuple([1] * (each - len(answer))))
    return Lessons(tuple(Lesson(prompt, answer, ()) for _ in range(questions)))


if __name__ == "__main__":
    main()
