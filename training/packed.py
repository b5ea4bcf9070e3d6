"""Prompts with their answers, packed for training one behind the other without padding.

Prompts that share an instruction share its tokens: they are computed once, and each prompt's own
tokens look at them and at their own past. Which of a prompt's examples may look at which others is
the `View`, the same one that serves. Knows no model and no data set.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch

from training.tree_layout import Layout, Stretch, laid_out
from wraner.chat import ChatEncoder, EncodedPrompt, Ids
from wraner.prompts import Prompt
from wraner.view import View


@dataclass(frozen=True, slots=True)
class Lesson:
    """A prompt with its right answer.

    `answer` ends with the end of the turn; `shown_answers` says how many tokens of each example,
    its last ones, are its answer.
    """

    prompt: EncodedPrompt
    answer: Ids
    shown_answers: tuple[int, ...]

    @property
    def own_tokens(self) -> int:
        """Tokens behind the instruction; the end of the turn is predicted, never read."""
        return self.prompt.tokens - len(self.prompt.prefix) + len(self.answer) - 1


def lesson_of(prompt: Prompt, answer: str, chat: ChatEncoder, *, max_tokens: int) -> Lesson:
    """Return a lesson as tokens; farther examples are left out of a prompt that is too long."""
    encoded = chat.encode(prompt, max_tokens=max_tokens)
    shown = prompt.examples[len(prompt.examples) - len(encoded.examples) :]
    return Lesson(
        encoded,
        (*chat.text_ids(answer), chat.end_of_turn),
        tuple(len(chat.text_ids(turn.answer)) for turn in shown),
    )


@dataclass(frozen=True, slots=True)
class Lessons:
    """Lessons with one instruction."""

    members: tuple[Lesson, ...]

    @property
    def tokens(self) -> int:
        """Tokens that a model must read."""
        return len(self.members[0].prompt.prefix) + sum(m.own_tokens for m in self.members)

    def pieces(self, most: int) -> "Iterator[Lessons]":
        """Yield the lessons in pieces of at most so many tokens; a longer lesson stands alone.

        Each piece reads the instruction anew; what is taught, and how it counts, stays the same.
        """
        piece: tuple[Lesson, ...] = ()
        for member in self.members:
            if piece and Lessons((*piece, member)).tokens > most:
                yield Lessons(piece)
                piece = ()
            piece = (*piece, member)
        yield Lessons(piece)


@dataclass(frozen=True, slots=True)
class Packed:
    """A run of the model. *Shape:* ids and positions (1, tokens); `kept` names the tokens whose
    next one is taught, `targets` and `weights` what it is and how much it counts (fp32).
    """

    ids: torch.Tensor
    positions: torch.Tensor
    kept: torch.Tensor
    targets: torch.Tensor
    weights: torch.Tensor
    stretches: Layout


class Packer:
    """Packs lessons for one model.

    `shown_weight` is how much an answer among the examples counts against the one asked for.
    """

    def __init__(
        self,
        view: View,
        *,
        shown_weight: float,
        end_of_turn: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        self._view = view
        self._shown_weight = shown_weight
        self._end_of_turn = end_of_turn
        self._dtype = dtype
        self._device = device

    def pack(self, groups: Sequence[Lessons]) -> Packed:
        """Put groups one behind the other."""
        run = _Run()
        for group in groups:
            prefix = group.members[0].prompt.prefix
            start = len(run.ids)
            seen = (start, start + len(prefix))
            run.stretch(prefix, 0, (start, start), (0,) * len(prefix))
            for member in group.members:
                first = len(run.ids)
                own = (*_behind(member.prompt), *member.answer[:-1])
                run.stretch(own, len(prefix), seen, _floors(member, self._view))
                self._teach(run, member, first)
        return run.packed(self._dtype, self._device)

    def _teach(self, run: "_Run", member: Lesson, first: int) -> None:
        if self._shown_weight:
            ends = accumulate((len(e) for e in member.prompt.examples), initial=first)
            for shown, answer, end in zip(
                member.prompt.examples, member.shown_answers, list(ends)[1:], strict=True
            ):
                taught = (*shown[len(shown) - answer :], self._end_of_turn)
                run.teach(end - answer - 1, taught, self._shown_weight)
        run.teach(len(run.ids) - len(member.answer), member.answer, 1.0)


class _Run:
    """A run as it grows."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self._positions: list[int] = []
        self._kept: list[int] = []
        self._targets: list[int] = []
        self._weights: list[float] = []
        self._stretches: list[Stretch] = []

    def stretch(self, ids: Ids, position: int, seen: tuple[int, int], floors: Ids) -> None:
        """Add tokens, the first at `position` of its prompt."""
        first = len(self.ids)
        self.ids += ids
        self._positions += range(position, position + len(ids))
        self._stretches.append(Stretch(first, len(self.ids), seen, floors))

    def teach(self, first: int, answer: Ids, weight: float) -> None:
        """Teach `answer`, its first token being what follows token `first`."""
        self._kept += range(first, first + len(answer))
        self._targets += answer
        self._weights += [weight] * len(answer)

    def packed(self, dtype: torch.dtype, device: torch.device) -> Packed:
        """Return the run as tensors."""
        ids, positions, kept, targets = (
            torch.tensor(numbers, device=device)
            for numbers in (self.ids, self._positions, self._kept, self._targets)
        )
        weights = torch.tensor(self._weights, device=device)
        stretches = laid_out(self._stretches, dtype, device)
        return Packed(ids[None], positions[None], kept, targets, weights, stretches)


def _behind(prompt: EncodedPrompt) -> Ids:
    return prompt.ids[len(prompt.prefix) :]


def _floors(member: Lesson, view: View) -> Ids:
    """Return the first of a prompt's own tokens that each of them sees."""
    lengths = [len(e) for e in member.prompt.examples]
    floors: list[int] = []
    for length in lengths[: view.alone(len(lengths))]:
        floors += [len(floors)] * length
    return (*floors, *[0] * (member.own_tokens - len(floors)))
