"""A causal language model in memory: its tokenizer, template, grammar and adapters.

Safe for several threads, see `runs_side_by_side`. Knows no queue and no task.
"""

import warnings
from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from wraner import adapters, attention
from wraner.chat import ChatEncoder
from wraner.errors import Unavailable
from wraner.grammar import TokenGrammar
from wraner.packed_linear import pack
from wraner.rotation import Rotation
from wraner.view import View
from wraner.weights import BaseModel

DType = Literal["auto", "float32", "bfloat16"]

# A task's adapter and the one that it replaces, for both tasks.
_KEPT_ADAPTERS = 4


class LanguageModel:
    """Weights with all that belongs to them.

    Attributes:
        base: where the weights came from, with their hash.
        model: the transformers model without any adapter, for inference only.
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
        self._loading, self._lock = Lock(), Lock()
        self._tuned: OrderedDict[str, Any] = OrderedDict()
        self._views: dict[str, View] = {}
        self._device = device
        self._dtype = dtype_of(dtype, device)
        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(base.path)
            self.model = self._weights()
        except (OSError, ValueError) as error:
            raise Unavailable(f"cannot load a model from {base.path}: {error}") from error
        pack(self.model)
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
        with self._lock:
            return tuple(self._tuned)

    def adapted(self, adapter: str) -> Any:
        """Return the model as tuned by `adapter` (content hash), "" for the base alone.

        Each adapter in use is a copy of the base with the adapter merged into it (words' embeddings
        that it leaves alone are shared): it costs memory and no time. The few used last are kept.

        Raises:
            NotFound: as `adapters.find`.
            Unavailable: as `adapters.find`, or the adapter does not fit the model.
        """
        if not adapter:
            return self.model
        tuned = self._loaded(adapter)
        if tuned is not None:
            return tuned
        with self._loading:  # who needs another one meanwhile does not wait
            tuned = self._loaded(adapter)
            if tuned is None:
                tuned = self._merged(adapter)
                with self._lock:
                    self._tuned[adapter] = tuned
                    if len(self._tuned) > _KEPT_ADAPTERS:
                        self._tuned.popitem(last=False)
        return tuned

    @property
    def runs_side_by_side(self) -> bool:
        """Whether threads may run the model at once.

        Of models whose positions are scaled by the length of what they read, transformers rewrites
        the angles in every run.
        """
        scaling = getattr(self.model.config, "rope_parameters", None) or {}
        return scaling.get("rope_type", "default") not in ("dynamic", "longrope")

    def view(self, adapter: str, *, judging: bool) -> View:
        """Return what a prompt's examples look at under `adapter`: what it was trained with.

        The base alone bears examples that have not seen each other where it extracts, not where it
        judges (see training/LOG.md).

        Raises:
            NotFound: as `adapters.read_adapter`.
            Unavailable: as `adapters.read_adapter`, or this model cannot show examples so.
        """
        if not adapter:
            return View.SEQUENCE if judging or self.rotation is None else View.NEAREST
        if adapter not in self._views:
            view = adapters.read_adapter(self._adapters, adapter).view
            if view is not View.SEQUENCE and self.rotation is None:
                raise Unavailable(
                    f"adapter {adapter[:16]} was trained with view {view.value!r}, and this "
                    f"model's keys cannot be moved; train one with view {View.SEQUENCE.value!r}"
                )
            self._views[adapter] = view
        return self._views[adapter]

    def _loaded(self, adapter: str) -> Any:
        with self._lock:
            if adapter not in self._tuned:
                return None
            self._tuned.move_to_end(adapter)
            return self._tuned[adapter]

    def _merged(self, adapter: str) -> Any:
        from peft import PeftModel

        folder = adapters.find(self._adapters, adapter, base_sha256=self.base.sha256)
        try:
            with warnings.catch_warnings():
                # peft 0.21 asks for this; whoever uses wraner could do nothing about it.
                warnings.filterwarnings(
                    "ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning
                )
                tuned: Any = PeftModel.from_pretrained(self._weights(), str(folder))
            tuned = tuned.merge_and_unload()
        except Exception as error:  # peft and torch raise many kinds, and each means the same here
            raise Unavailable(
                f"adapter {adapter[:16]} does not load ({type(error).__name__}: {error}); promote "
                f"another adapter or roll this one back"
            ) from error
        pack(tuned)
        self._share_words(tuned)
        return tuned.eval()

    def _share_words(self, tuned: Any) -> None:
        """Drop a tuned model's embeddings and the head tied to them where they are the base's."""
        own = self.model.get_input_embeddings()
        if torch.equal(tuned.get_input_embeddings().weight, own.weight):
            tuned.set_input_embeddings(own)
            if tuned.config.tie_word_embeddings:
                tuned.set_output_embeddings(self.model.get_output_embeddings())

    def _weights(self) -> Any:
        """Load the base model from its folder."""
        model: Any = AutoModelForCausalLM.from_pretrained(
            self.base.path, dtype=self._dtype, attn_implementation=attention.NAME
        )
        return model.eval().to(self._device)


def device_at_hand() -> str:
    """Return the device that computes fastest: the first GPU, or the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def dtype_of(dtype: DType, device: str) -> torch.dtype:
    """Return bf16 where the machine multiplies it natively, as "auto" asks."""
    if dtype != "auto":
        return torch.float32 if dtype == "float32" else torch.bfloat16
    native = device != "cpu" or torch.cpu.get_capabilities().get("avx512_bf16", False)
    return torch.bfloat16 if native else torch.float32
