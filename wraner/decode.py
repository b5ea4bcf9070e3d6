"""The decode loop: rows of many requests through one model, each answer in its own grammar.

Rows join and leave between steps. A step feeds each row its last token, the tokens that the grammar
forced and a guess at those to come; guessed tokens are kept as far as the model agrees. Knows no
queue and no adapter.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from wraner.blocks import Blocks
from wraner.chat import EncodedPrompt, Ids
from wraner.grammar import GrowingAnswer
from wraner.slots import Feed, KeyValues, Slots, own_columns

Spell = Callable[[str], Ids]

_MAX_GUESS = 12


@dataclass(eq=False)
class Row:
    """One prompt at work.

    With an `answer` it grows that; without, its `options` (each a continuation's tokens) are
    weighed. `abandoned` says that nobody waits any more. What goes wrong in this row alone is its
    `error`.
    """

    prompt: EncodedPrompt
    answer: GrowingAnswer | None
    options: Sequence[Ids]
    abandoned: Callable[[], bool]
    logprobs: tuple[float, ...] = ()
    error: Exception | None = None
    _fed: list[int] = field(default_factory=list)
    _guessed: int = 0
    _column: int = 0

    @property
    def _wanted(self) -> int:
        """How many of the last tokens fed must be answered with logits."""
        return len(self.options[0]) if self.options else 1 + self._guessed

    @property
    def _first(self) -> list[int]:
        """What is fed first: the query, and of options what all begin with."""
        return [*self.prompt.query, *(self.options[0][:-1] if self.options else ())]

    @property
    def needs_model(self) -> bool:
        """Whether there is something left to ask."""
        if self.error is not None:
            return False
        return not self.logprobs if self.answer is None else not self.answer.done


class Decoder:
    """The rows that are at work under one adapter."""

    def __init__(self, spell: Spell, *, rows: int) -> None:
        """`spell` tokenises a piece of an answer; at most `rows` work at once."""
        self._spell = spell
        self._capacity = rows
        self._slots = Slots(rows)
        self._rows: list[Row] = []

    @property
    def room(self) -> int:
        """How many rows may join."""
        return self._capacity - len(self._rows)

    @property
    def idle(self) -> bool:
        """Whether no row is at work."""
        return not self._rows

    def __contains__(self, row: Row) -> bool:
        return row in self._rows

    @torch.inference_mode()
    def join(
        self,
        model: Any,
        blocks: Blocks,
        adapter: str,
        rows: Sequence[Row],
        *,
        batch_tokens: int,
    ) -> None:
        """Let rows take part in the next step, behind what `blocks` remembers."""
        prompts = [row.prompt for row in rows]
        begun = blocks.begin(
            model, adapter, prompts, batch_tokens=batch_tokens, rows=self._capacity
        )
        first = len(self._rows)
        self._slots.reserve(first + len(rows), max(map(_columns, rows, begun)))
        for number, (row, known) in enumerate(zip(rows, begun, strict=True), start=first):
            prefix, *examples = known
            self._slots.begin(number, prefix)
            row._column = prefix.tokens
            for block in examples:
                self._slots.write(number, row._column, block)
                row._column += block.tokens
            row._fed = row._first
        self._rows += rows

    @torch.inference_mode()
    def step(self, model: Any) -> list[Row]:
        """Carry every row on by at least one token; return those that are finished."""
        feeds = [Feed(row._fed, row._column, row._wanted) for row in self._rows]
        logits = self._slots.run(model, feeds)
        for row, seen in zip(self._rows, logits, strict=True):
            if row.answer is None:
                row.logprobs = _weigh(seen, row.options)
            else:
                try:
                    self._advance(row, row.answer, seen)
                except Exception as error:  # its neighbours go on
                    row.error = error
        return self._let_go()

    def _advance(self, row: Row, answer: GrowingAnswer, logits: torch.Tensor) -> None:
        """Choose tokens while the guess holds; *shape:* logits (1 + guessed, vocabulary)."""
        certain = len(row._fed) - row._guessed
        guess = row._fed[certain:]
        held = 0
        token = _choose(answer, logits[0])
        while not answer.done and held < len(guess) and token == guess[held]:
            held += 1
            token = _choose(answer, logits[held])
        row._column += certain + held
        forced = answer.take_forced()
        guess = [] if answer.done else list(self._spell(answer.guess()))[:_MAX_GUESS]
        row._fed, row._guessed = [token, *forced, *guess], len(guess)

    def _let_go(self) -> list[Row]:
        """Take out the rows that are finished; the last ones fill their places."""
        finished = []
        number = 0
        while number < len(self._rows):
            row = self._rows[number]
            if row.needs_model and not row.abandoned():
                number += 1
                continue
            finished.append(row)
            last = self._rows.pop()
            if last is not row:
                self._rows[number] = last
                self._slots.move(len(self._rows), number, last._column)
        if not self._rows:
            self._slots = Slots(self._capacity)  # long prompts' room is given back
        return finished


def _columns(row: Row, known: Sequence[KeyValues]) -> int:
    """Return how many columns of its own a row has after the first step, its beginning known."""
    return own_columns(known[0], sum(block.tokens for block in known) + len(row._first))


def _choose(answer: GrowingAnswer, logits: torch.Tensor) -> int:
    """Give the answer its likeliest permitted token, and return it."""
    permitted = answer.permitted().to(logits.device)
    if not permitted.any():  # the tokenizer cannot spell what must come
        answer.done = answer.truncated = True
        return 0
    logprobs = torch.log_softmax(logits.float().masked_fill(~permitted, -torch.inf), dim=-1)
    token = int(logprobs.argmax())
    answer.accept(token, float(logprobs[token]))
    return token


def _weigh(logits: torch.Tensor, options: Sequence[Ids]) -> tuple[float, ...]:
    """Return the log-probability of each option; *shape:* logits (tokens, vocabulary).

    All options of a row are equal up to their last token, so they share one run.
    """
    logprobs = torch.log_softmax(logits.float(), dim=-1)
    weighed = []
    for option in options:
        picked = logprobs.gather(1, torch.tensor(option, device=logprobs.device)[:, None])
        weighed.append(float(picked.sum()))
    return tuple(weighed)
