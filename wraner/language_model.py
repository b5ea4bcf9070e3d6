"""A causal language model in memory: its tokenizer, template, grammar and adapters.

One thread at a time may use it; `local` sees to that. Knows no queue and no task.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, cast

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from wraner import adapters, attention
from wraner.chat import ChatEncoder
from wraner.errors import Unavailable
from wraner.grammar import TokenGrammar
from wraner.rotation import Rotation
from wraner.weights import BaseModel

DType = Literal["auto", "float32", "bfloat16"]


class LanguageModel:
    """Weights with all that belongs to them.

    Attributes:
        base: where the weights came from, with their hash.
        model: the transformers model; wrapped by peft once an adapter was used.
        chat: turns prompts into token ids.
        grammar: compiles answers' grammars.
        rotation: moves remembered keys; None where this model's cannot be moved.
        context_tokens: how many tokens the model reads at most.
    """

    def __init__(
        self, base: BaseModel, *, adapters: Path, device: str = "cpu", dtype: DType = "auto"
    ) -> None:
        """Load the base model; adapters are loaded when first asked for.

        Raises:
            Unavailable: the folder does not hold a model and a fast tokenizer.
        """
        self.base = base
        self._adapters = adapters
        self._loaded: list[str] = []
        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(base.path)
            model: Any = AutoModelForCausalLM.from_pretrained(
                base.path, dtype=_dtype(dtype, device), attn_implementation=attention.NAME
            )
        except (OSError, ValueError) as error:
            raise Unavailable(f"cannot load a model from {base.path}: {error}") from error
        self.model = model.eval().to(device)
        _sharpen_head(self.model)
        self.chat = ChatEncoder(tokenizer)
        self.grammar = TokenGrammar(
            tokenizer,
            vocabulary=self.model.config.vocab_size,
            end_of_turn=self.chat.end_of_turn,
        )
        self.rotation = Rotation.of(self.model)
        self.context_tokens = int(self.model.config.max_position_embeddings)

    @property
    def loaded_adapters(self) -> tuple[str, ...]:
        """The adapters in memory, by content hash."""
        return tuple(self._loaded)

    @contextmanager
    def adapted(self, adapter: str) -> Iterator[Any]:
        """Yield the model with `adapter` (content hash) switched on, "" for the base alone.

        Raises:
            NotFound, Unavailable: as `adapters.find`.
        """
        if adapter:
            self._load(adapter)
            self.model.set_adapter(adapter)
            yield self.model
        elif self._loaded:
            with self.model.disable_adapter():
                yield self.model
        else:
            yield self.model

    def _load(self, adapter: str) -> None:
        if adapter in self._loaded:
            return
        from peft import PeftModel

        folder = adapters.find(self._adapters, adapter, base_sha256=self.base.sha256)
        if self._loaded:
            self.model.load_adapter(str(folder), adapter_name=adapter)
        else:
            self.model = PeftModel.from_pretrained(self.model, str(folder), adapter_name=adapter)
        self.model.eval()
        self._loaded.append(adapter)


class _SharpHead(torch.nn.Module):
    """An output head that multiplies in fp32, whatever the precision of the rest.

    A bf16 logit of 20 comes in steps of an eighth: too coarse to weigh yes against no. On a CPU the
    weights are laid out for the product once; for few rows that is four times as fast.
    """

    def __init__(self, head: torch.nn.Linear) -> None:
        super().__init__()
        exact = head.weight.detach().float()
        self._bias = None if head.bias is None else head.bias.detach().float()
        mkldnn = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        self._packed = mkldnn and exact.device.type == "cpu"
        reorder = torch.ops.mkldnn._reorder_linear_weight
        self._weight = reorder(exact, None) if self._packed else exact

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """*Shape:* (…, hidden) to (…, vocabulary)."""
        if self._packed:
            product = torch.ops.mkldnn._linear_pointwise
            return cast(
                torch.Tensor,
                product(hidden.float(), self._weight, self._bias, "none", [], ""),
            )
        return torch.nn.functional.linear(hidden.float(), self._weight, self._bias)


def _sharpen_head(model: Any) -> None:
    head = model.get_output_embeddings()
    if head.weight.dtype != torch.float32:
        model.set_output_embeddings(_SharpHead(head))


def _dtype(dtype: DType, device: str) -> torch.dtype:
    """Return bf16 where the machine multiplies it natively, as "auto" asks."""
    if dtype != "auto":
        return torch.float32 if dtype == "float32" else torch.bfloat16
    native = device != "cpu" or torch.cpu.get_capabilities().get("avx512_bf16", False)
    return torch.bfloat16 if native else torch.float32
