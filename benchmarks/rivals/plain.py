"""Plain transformers on the converted weights: no grammar, nothing kept from prompt to prompt.

Runs in wraner's own environment; `asking` says how it is asked. Batches are padded on the left,
attention is the library's default (sdpa).
"""

import argparse
from collections.abc import Sequence
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM

from benchmarks.rivals.asking import serve, timed_batches

_PAD = 0  # masked, so any token will do


class Plain:
    """A model as the library loads it, in the precision in which wraner serves."""

    def __init__(self, folder: str) -> None:
        fast = torch.cpu.get_capabilities().get("avx512_bf16", False)
        dtype = torch.bfloat16 if fast else torch.float32
        model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)
        self._model = model.eval()

    def answer(self, prompts: Sequence[list[int]], counts: Sequence[int]) -> None:
        """Write behind each prompt as many tokens as the longest answer has; 0 reads only."""
        if max(counts):
            self.write(prompts, max(counts))
        else:
            self.read(prompts)

    @torch.inference_mode()
    def read(self, prompts: Sequence[list[int]]) -> torch.Tensor:
        """Return the log-probabilities of each prompt's next token."""
        given = _padded(prompts)
        positions = (given["attention_mask"].cumsum(1) - 1).clamp(min=0)
        logits = self._model(**given, position_ids=positions, logits_to_keep=1).logits[:, -1]
        return torch.log_softmax(logits.float(), dim=-1)

    @torch.inference_mode()
    def write(self, prompts: Sequence[list[int]], tokens: int) -> None:
        """Write exactly so many tokens behind each prompt, greedily."""
        self._model.generate(
            **_padded(prompts),
            do_sample=False,
            min_new_tokens=tokens,
            max_new_tokens=tokens,
            pad_token_id=_PAD,
        )


def _padded(prompts: Sequence[list[int]]) -> dict[str, torch.Tensor]:
    longest = max(map(len, prompts))
    rows = [[_PAD] * (longest - len(ids)) + ids for ids in prompts]
    mask = [[0] * (longest - len(ids)) + [1] * len(ids) for ids in prompts]
    return {"input_ids": torch.tensor(rows), "attention_mask": torch.tensor(mask)}


def main() -> None:
    """Load the model and answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder")
    parser.add_argument("--threads", type=int, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    about = f"transformers {transformers.__version__}"
    serve({"work": timed_batches(Plain(asked.folder).answer), "about": lambda: about})


if __name__ == "__main__":
    main()
