"""One answer under way: which tokens may come next, and what their choices were worth.

Compiles the grammar of an AnswerSpec for one tokenizer and follows it line by line. Knows no
model.
"""

import json
import math
from collections.abc import Sequence
from typing import Any

import llguidance
import numpy as np
import torch
from transformers import PreTrainedTokenizerFast

from wraner.answers import AnswerSpec, write_label
from wraner.engine import Line
from wraner.errors import InvalidInput, Unavailable, WranerError

_COMPOSING = frozenset({"NFC", "NFD", "NFKC", "NFKD"})


class TokenGrammar:
    """A tokenizer as llguidance sees it; compiles grammars and holds the mask's size."""

    def __init__(
        self, tokenizer: PreTrainedTokenizerFast, *, vocabulary: int, end_of_turn: int
    ) -> None:
        self.vocabulary = vocabulary
        self.end_of_turn = end_of_turn
        spelling = _as_written(json.loads(tokenizer.backend_tokenizer.to_str()))
        added = spelling["added_tokens"]
        self._control = [t["content"] for t in added if t["special"] and t["content"]]
        self._tokenizer = llguidance.LLTokenizer(
            json.dumps(spelling), n_vocab=vocabulary, eos_token=end_of_turn
        )

    def matcher(self, lark: str) -> llguidance.LLMatcher:
        """Compile a grammar.

        Raises:
            Unavailable: llguidance refuses it (a limit of its own).
        """
        grammar = llguidance.LLMatcher.grammar_from_lark(lark)
        matcher = llguidance.LLMatcher(self._tokenizer, grammar)
        if matcher.is_error():
            raise Unavailable(f"the answer's grammar cannot be compiled: {matcher.get_error()}")
        return matcher

    def text(self, tokens: list[int]) -> str:
        """Return the text of generated tokens."""
        return str(self._tokenizer.decode_str(tokens))

    def check_labels(self, labels: Sequence[str]) -> None:
        """Refuse labels that no answer can write, as part of them would be a control token.

        Raises:
            InvalidInput: one of them holds a control token's text.
        """
        for label in labels:
            written = write_label(label)
            held = next((token for token in self._control if token in written), None)
            if held is not None:
                raise InvalidInput(
                    f"expected types whose names hold no control token of the model, was: "
                    f"{label!r}, which holds {held!r}; give this type another name"
                )


def _as_written(spelling: dict[str, Any]) -> dict[str, Any]:
    """Return a tokenizer's description, such that it spells text as it stands.

    An answer repeats the text's own characters: composed ones would be others than the grammar's.
    What SentencePiece does to blanks stays, for its vocabulary has them so.
    """
    given = spelling["normalizer"] or {"type": "Sequence", "normalizers": []}
    steps = given["normalizers"] if given["type"] == "Sequence" else [given]
    kept = [step for step in steps if step["type"] not in _COMPOSING]
    normalizer = {"type": "Sequence", "normalizers": kept} if kept else None
    return {**spelling, "normalizer": normalizer, "padding": None, "truncation": None}


class GrowingAnswer:
    """The answer to one request, grown a token at a time.

    Attributes:
        lines: the finished lines. A mention's score includes that of its beginning, which is where
            the words of no type before it were made to end.
        done: nothing more is permitted or wanted.
        truncated: the token limit cut the answer.
    """

    def __init__(self, grammar: TokenGrammar, spec: AnswerSpec, *, max_tokens: int) -> None:
        """Begin an answer. Raises as `check_labels` and `matcher` of the grammar do."""
        self.lines: list[Line] = []
        self.done = not spec.flat.starts
        self.truncated = False
        self._grammar = grammar
        self._spec = spec
        self._left = max_tokens
        self._cursor = 0
        self._tokens: list[int] = []
        self._logprob = 0.0
        grammar.check_labels(spec.labels)
        if not self.done:
            self._matcher = grammar.matcher(spec.grammar())

    def permitted(self) -> torch.Tensor:
        """Return which tokens may come next, bool of shape [vocabulary]."""
        if self._matcher.is_error():
            raise self._failure()
        words = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        bits = np.unpackbits(words, bitorder="little")[: self._grammar.vocabulary]
        return torch.from_numpy(bits.view(np.bool_))

    def accept(self, token: int, logprob: float) -> None:
        """Take a chosen token; `logprob` is renormalised over what was permitted.

        Raises:
            InvalidInput: there are too many labels to choose among.
            Unavailable: the tokenizer spells what must come otherwise than the grammar.
        """
        self._left -= 1
        self._tokens.append(token)
        self._logprob += logprob
        if not self._matcher.consume_token(token):
            raise self._failure()
        text = self._grammar.text(self._tokens)
        if text.endswith("\n"):
            self._end_line(text.removesuffix("\n"), logprob)
        if self._left <= 0 and not self.done:
            self.done = self.truncated = True

    def take_forced(self) -> list[int]:
        """Take the tokens to which the grammar leaves no choice, and return them."""
        taken: list[int] = []
        while not self.done and (forced := self._matcher.compute_ff_tokens()):
            line = self._tokens
            for token in forced:
                self.accept(token, 0.0)
                taken.append(token)
                if self.done or self._tokens is not line:
                    break
        return taken

    def guess(self) -> str:
        """Return how the line probably goes on, up to its end; nothing rests on the guess."""
        return self._spec.guess(self._grammar.text(self._tokens), self._cursor)

    def _failure(self) -> WranerError:
        """Return what stopped the matcher, which tells it by its message alone."""
        reason = self._matcher.get_error().partition("\n")[0][:200]
        if "doesn't satisfy the grammar" in reason:
            return Unavailable(
                f"expected a tokenizer that spells words as the text has them, was: one that "
                f"changes them ({reason}); use another base model"
            )
        # It compiled, and is too large a step on.
        return InvalidInput(
            f"expected types whose names one answer can choose among, was: "
            f"{len(self._spec.labels)} ({reason}); ask for fewer: entity_types"
        )

    def _end_line(self, text: str, end_logprob: float) -> None:
        aligned = self._spec.align_line(text, self._cursor)
        if aligned is None:  # a token that spells no whole character of the text
            self.done = self.truncated = True
            return
        mention, self._cursor = aligned
        self.lines.append(Line(text, math.exp(self._logprob)))
        self._tokens = []
        self._logprob = 0.0 if mention else end_logprob
        self.done = self._cursor == len(self._spec.flat.starts)
