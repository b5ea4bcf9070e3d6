"""From a prompt's words to a model's tokens, through the model's own chat template.

The template is rendered around placeholders; what the template wrote is tokenised with its control
tokens, what people wrote is tokenised as plain text (``split_special_tokens``), so that
``<|im_end|>`` inside a comment stays a comment. Knows no weights.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

from wraner.errors import InvalidInput
from wraner.prompts import Prompt

# Private-use characters: no template writes them, and what people write never meets the template.
_SLOT = re.compile("\ue000(\\d+)\ue001")


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """Token ids of a prompt, up to where the model's own words begin."""

    ids: tuple[int, ...]
    examples_used: int


class ChatEncoder:
    """Encodes prompts for one tokenizer.

    Attributes:
        end_of_turn: the token id with which the template closes the model's words.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        self._frame = lru_cache(maxsize=64)(self._render_frame)
        self.end_of_turn = self._find_end_of_turn()

    def text_ids(self, text: str) -> list[int]:
        """Tokenise what people wrote; never yields a control token."""
        ids: list[int] = self._tokenizer(
            text, add_special_tokens=False, split_special_tokens=True
        ).input_ids
        return ids

    def encode(self, prompt: Prompt, *, max_tokens: int) -> EncodedPrompt:
        """Encode a prompt with as many of its nearest examples as fit into `max_tokens`.

        Raises:
            InvalidInput: the instruction and the text alone are longer than that.
        """
        examples = [(self.text_ids(t.text), self.text_ids(t.answer)) for t in prompt.examples]
        instruction, text = self.text_ids(prompt.instruction), self.text_ids(prompt.text)
        for dropped in range(len(examples) + 1):
            kept = examples[dropped:]
            slots = [instruction, *(ids for pair in kept for ids in pair), text]
            ids = self._fill(self._frame(len(kept)), slots)
            if len(ids) <= max_tokens:
                return EncodedPrompt(tuple(ids), len(kept))
        raise InvalidInput(
            f"definitions and text take {len(ids)} tokens, the model reads at most {max_tokens}; "
            "ask for fewer types or policies, or shorten their definitions"
        )

    def _fill(self, frame: Sequence[list[int] | int], slots: Sequence[list[int]]) -> list[int]:
        return [i for part in frame for i in (slots[part] if isinstance(part, int) else part)]

    def _render_frame(self, examples: int) -> tuple[list[int] | int, ...]:
        """Return the template's own tokens around numbered slots."""
        return self._cut(self._render(examples, answered=False))

    def _render(self, examples: int, *, answered: bool) -> str:
        slots = [f"\ue000{i}\ue001" for i in range(2 * examples + 3)]
        turns = [
            {"role": "user" if i % 2 == 0 else "assistant", "content": slot}
            for i, slot in enumerate(slots[1 : None if answered else -1])
        ]
        system = {"role": "system", "content": slots[0]}
        try:
            return self._apply([system, *turns], answered)
        except TemplateError:  # a template without a system role: instruct in the first turn
            first = {"role": "user", "content": f"{slots[0]}\n\n{turns[0]['content']}"}
            return self._apply([first, *turns[1:]], answered)

    def _apply(self, messages: list[dict[str, str]], answered: bool) -> str:
        return str(
            self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=not answered
            )
        )

    def _cut(self, rendered: str) -> tuple[list[int] | int, ...]:
        parts: list[list[int] | int] = []
        for number, piece in enumerate(_SLOT.split(rendered)):
            if number % 2:
                parts.append(int(piece))
            elif piece:
                parts.append(self._tokenizer(piece, add_special_tokens=False).input_ids)
        return tuple(parts)

    def _find_end_of_turn(self) -> int:
        after = self._cut(self._render(0, answered=True))[-1]
        if isinstance(after, int):
            raise InvalidInput(
                "expected a chat template that closes the assistant's turn with a token, "
                "was: one that writes nothing behind it; use an instruction-tuned model"
            )
        return after[0]
