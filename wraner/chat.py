"""From a prompt's words to a model's tokens, through the model's own chat template.

The template is rendered around placeholders; what the template wrote is tokenised with its control
tokens, what people wrote is tokenised as plain text (``split_special_tokens``), so that
``<|im_end|>`` inside a comment stays a comment. Knows no weights.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

from jinja2.exceptions import TemplateError
from transformers import PreTrainedTokenizerBase

from wraner.errors import InvalidInput
from wraner.prompts import Prompt
from wraner.view import View

# Private-use characters: no template writes them, and what people write never meets the template.
_SLOT = re.compile("\ue000\\d+\ue001")
_MAX_QUOTED = 80

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class EncodedPrompt:
    """Token ids of a prompt, up to where the model's own words begin.

    `prefix` holds the instruction, each of `examples` one example with its answer, in reading
    order; both recur from request to request. `query` holds the text and the opening of the
    model's turn, behind the examples that see others, see `viewed`.
    """

    prefix: Ids
    examples: tuple[Ids, ...]
    query: Ids

    def viewed(self, view: View) -> "EncodedPrompt":
        """Return the same tokens, the examples that see others as part of the query."""
        alone = view.alone(len(self.examples))
        shown = tuple(i for example in self.examples[alone:] for i in example)
        return EncodedPrompt(self.prefix, self.examples[:alone], shown + self.query)

    @property
    def ids(self) -> Ids:
        """All tokens in reading order."""
        return (*self.prefix, *(i for example in self.examples for i in example), *self.query)

    @property
    def tokens(self) -> int:
        """How many tokens there are in all."""
        return len(self.prefix) + sum(map(len, self.examples)) + len(self.query)


def _beginning(instruction: str) -> str:
    """Return where the definitions of an instruction begin, behind what is asked."""
    _, _, definitions = instruction.partition("\n")
    return " ".join((definitions or instruction).split())[:_MAX_QUOTED]


class ChatEncoder:
    """Encodes prompts for one tokenizer.

    Attributes:
        end_of_turn: the token id with which the template closes the model's words.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        self._tokenizer = tokenizer
        # How to treat control tokens is a switch inside the tokenizer: one thread at a time.
        self._lock = Lock()
        self._frame = lru_cache(maxsize=128)(self._render_frame)
        # A text is asked about by many policies, and a policy about many texts.
        self._repeated = lru_cache(maxsize=128)(self.text_ids)
        # An example stands in the prompts of many windows, with its answer.
        self._shown = lru_cache(maxsize=128)(self.text_ids)
        self.end_of_turn = self._find_end_of_turn()

    def text_ids(self, text: str) -> Ids:
        """Tokenise what people wrote; never yields a control token."""
        return self._tokenise(text, as_data=True)

    def encode(self, prompt: Prompt, *, max_tokens: int) -> EncodedPrompt:
        """Encode a prompt with as many of its nearest examples as fit into `max_tokens`.

        Raises:
            InvalidInput: the instruction and the text alone are longer than that.
        """
        examples = [(self._shown(t.text), self._shown(t.answer)) for t in prompt.examples]
        instruction, text = self._repeated(prompt.instruction), self._repeated(prompt.text)
        alone = len(instruction) + len(text)
        shown = sum(len(given) + len(answer) for given, answer in examples)
        for dropped in range(len(examples) + 1):
            frame = self._frame(len(examples) - dropped)
            tokens = alone + shown + sum(map(len, frame))
            if tokens <= max_tokens:
                return EncodedPrompt(
                    prefix=frame[0] + instruction,
                    examples=tuple(
                        frame[2 * i + 1] + given + frame[2 * i + 2] + answer
                        for i, (given, answer) in enumerate(examples[dropped:])
                    ),
                    query=frame[-2] + text + frame[-1],
                )
            shown -= sum(map(len, examples[dropped])) if dropped < len(examples) else 0
        raise InvalidInput(
            f"definitions and text take {tokens} tokens, the model reads at most "
            f"{max_tokens}; ask for fewer types or policies, or shorten their definitions; they "
            f"begin with: {_beginning(prompt.instruction)}"
        )

    def _tokenise(self, text: str, *, as_data: bool) -> Ids:
        with self._lock:
            encoded = self._tokenizer(text, add_special_tokens=False, split_special_tokens=as_data)
        return tuple(encoded.input_ids)

    def _render_frame(self, examples: int) -> tuple[Ids, ...]:
        """Return what the template writes before each slot and, last, behind them all."""
        return self._cut(self._render(examples, answered=False))

    def _render(self, examples: int, *, answered: bool) -> str:
        slots = [f"\ue000{i}\ue001" for i in range(2 * examples + 3)]
        turns = [
            {"role": "user" if i % 2 == 0 else "assistant", "content": slot}
            for i, slot in enumerate(slots[1 : None if answered else -1])
        ]
        system = {"role": "system", "content": slots[0]}
        wanted = slots[: len(turns) + 1]
        try:
            rendered = self._apply([system, *turns], answered)
        except TemplateError:  # a template without a system role
            rendered = ""
        if _SLOT.findall(rendered) != wanted:  # or one that instructs in the last turn
            first = {"role": "user", "content": f"{slots[0]}\n\n{turns[0]['content']}"}
            rendered = self._apply([first, *turns[1:]], answered)
        if _SLOT.findall(rendered) != wanted:
            raise InvalidInput(
                "expected a chat template that writes each turn once and in its order, was: one "
                "that leaves out, repeats or moves some; use an instruction-tuned model with "
                "another template"
            )
        return rendered

    def _apply(self, messages: list[dict[str, str]], answered: bool) -> str:
        return str(
            self._tokenizer.apply_chat_template(
                messages, tokenize=False, add_generation_prompt=not answered
            )
        )

    def _cut(self, rendered: str) -> tuple[Ids, ...]:
        return tuple(
            self._tokenise(piece, as_data=False) if piece else () for piece in _SLOT.split(rendered)
        )

    def _find_end_of_turn(self) -> int:
        after = self._cut(self._render(0, answered=True))[-1]
        if not after:
            raise InvalidInput(
                "expected a chat template that closes the assistant's turn with a token, "
                "was: one that writes nothing behind it; use an instruction-tuned model"
            )
        return after[0]
