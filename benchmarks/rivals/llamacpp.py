"""llama.cpp on the bundled GGUF: prompts written or read, one at a time or several in a batch.

Run with an interpreter that has llama-cpp-python; `asking` says how it is asked. What the sequences
of a batch have in common is computed once, and what it shares with the batch before it is kept.
"""

import argparse
from collections.abc import Sequence
from typing import Any

import llama_cpp
import numpy as np

from benchmarks.rivals.asking import begin_alike, in_batches, serve, timed_batches

ROWS = 8
_BATCH_TOKENS = 512
_SILENT = llama_cpp.llama_log_callback(lambda level, text, given: None)


class Sequences:
    """Sequences that grow side by side in one context, greedily and without a grammar."""

    def __init__(self, gguf: str, *, threads: int, context_tokens: int) -> None:
        llama_cpp.llama_log_set(_SILENT, None)
        model = llama_cpp.llama_model_load_from_file(
            gguf.encode(), llama_cpp.llama_model_default_params()
        )
        given = llama_cpp.llama_context_default_params()
        given.n_ctx, given.n_batch, given.n_ubatch = context_tokens, _BATCH_TOKENS, _BATCH_TOKENS
        given.n_seq_max, given.kv_unified = ROWS, False
        given.n_threads = given.n_threads_batch = threads
        self._context = llama_cpp.llama_init_from_model(model, given)
        if not self._context:
            raise SystemExit(f"llama.cpp cannot load {gguf}")
        self._vocabulary = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._batch = llama_cpp.llama_batch_init(_BATCH_TOKENS, 0, 1)
        self._kept: list[int] = []

    def answer(self, prompts: Sequence[list[int]], counts: Sequence[int]) -> list[list[int]]:
        """Read all prompts, then write `counts` tokens behind each; 0 reads only."""
        alike = min(begin_alike(prompts[0], ids) for ids in prompts)
        shared = prompts[0][: min(alike, *(len(ids) - 1 for ids in prompts))]
        known = begin_alike(self._kept, shared)
        llama_cpp.llama_memory_seq_rm(self._memory, 0, known, -1)
        self._feed([(0, known + i, t) for i, t in enumerate(shared[known:])])
        for row in range(1, len(prompts)):
            llama_cpp.llama_memory_seq_cp(self._memory, 0, row, 0, -1)
        chosen: dict[int, int] = {}
        for row, ids in enumerate(prompts):  # a batch of uneven rows would be cut into small ones
            places = [(row, p, ids[p]) for p in range(len(shared), len(ids))]
            chosen |= self._feed(places, wanted={(row, len(ids) - 1)})
        written: list[list[int]] = [[] for _ in prompts]
        while rows := [r for r, count in enumerate(counts) if len(written[r]) < count]:
            for row in rows:
                written[row].append(chosen[row])
            growing = [r for r in rows if len(written[r]) < counts[r]]
            steps = [(r, len(prompts[r]) + len(written[r]) - 1, chosen[r]) for r in growing]
            chosen |= self._feed(steps, wanted={(row, position) for row, position, _ in steps})
        for row in range(1, len(prompts)):
            llama_cpp.llama_memory_seq_rm(self._memory, row, -1, -1)
        llama_cpp.llama_memory_seq_rm(self._memory, 0, len(shared), -1)
        self._kept = shared
        return written

    def _feed(
        self, places: Sequence[tuple[int, int, int]], wanted: Any = frozenset()
    ) -> dict[int, int]:
        """Run (row, position, token); return each row's likeliest next token where wanted."""
        chosen: dict[int, int] = {}
        for part in in_batches(places, _BATCH_TOKENS):
            self._batch.n_tokens = len(part)
            for i, (row, position, token) in enumerate(part):
                self._batch.token[i], self._batch.pos[i] = token, position
                self._batch.seq_id[i][0], self._batch.n_seq_id[i] = row, 1
                self._batch.logits[i] = (row, position) in wanted
            if llama_cpp.llama_decode(self._context, self._batch):
                raise RuntimeError("llama.cpp could not decode a batch: its context is too small")
            for i, (row, position, _) in enumerate(part):
                if (row, position) in wanted:
                    logits = llama_cpp.llama_get_logits_ith(self._context, i)
                    seen = np.ctypeslib.as_array(logits, (self._vocabulary,))
                    chosen[row] = int(seen.argmax())
        llama_cpp.llama_synchronize(self._context)
        return chosen


def main() -> None:
    """Load the model and answer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gguf")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--context", type=int, default=24_576)
    asked = parser.parse_args()
    sequences = Sequences(asked.gguf, threads=asked.threads, context_tokens=asked.context)

    about = f"llama_cpp_python {llama_cpp.__version__}"
    serve({"work": timed_batches(sequences.answer), "about": lambda: about})


if __name__ == "__main__":
    main()
