"""Prompts with their answers, packed for training one behind the other without padding.

Prompts that share an instruction share its tokens: they are computed once, and each prompt's own
tokens look at them and at their own past. Which of a prompt's examples may look at which others is
the `View`, the same one that serves. Knows no model and no data set.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch

from wraner.chat import EncodedPrompt, Ids
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


@dataclass(frozen=True, slots=True)
class Lessons:
    """Lessons with one instruction."""

    members: tuple[Lesson, ...]

    @property
    def tokens(self) -> int:
        """Tokens that a model must read."""
        return len(self.members[0].prompt.prefix) + sum(m.own_tokens for m in self.members)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Tokens ``first`` to ``end`` of a run; they see columns ``seen`` and, masked, their own.

    *Shape:* mask (tokens, columns seen + tokens), added to the products.
    """

    first: int
    end: int
    seen: tuple[int, int]
    mask: torch.Tensor


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
    stretches: tuple[Stretch, ...]


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
            run.stretch(prefix, 0, (start, start), self._added(_causal(len(prefix)), 0))
            for member in group.members:
                visible = _visible([len(e) for e in member.prompt.examples], member, self._view)
                first = len(run.ids)
                own = (*_behind(member.prompt), *member.answer[:-1])
                run.stretch(own, len(prefix), seen, self._added(visible, len(prefix)))
                self._teach(run, member, first)
        return run.packed(self._device)

    def _teach(self, run: "_Run", member: Lesson, first: int) -> None:
        if self._shown_weight:
            ends = accumulate((len(e) for e in member.prompt.examples), initial=first)
            for shown, answer, end in zip(
                member.prompt.examples, member.shown_answers, list(ends)[1:], strict=True
            ):
                taught = (*shown[len(shown) - answer :], self._end_of_turn)
                run.teach(end - answer - 1, taught, self._shown_weight)
        run.teach(len(run.ids) - len(member.answer), member.answer, 1.0)

    def _added(self, visible: torch.Tensor, prefix: int) -> torch.Tensor:
        """Return what is added to the products, for columns that all see and columns of its own."""
        mask = torch.zeros(len(visible), prefix + len(visible), dtype=self._dtype)
        mask[:, prefix:].masked_fill_(~visible, float("-inf"))
        return mask.to(self._device)


class _Run:
    """A run as it grows."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self._positions: list[int] = []
        self._kept: list[int] = []
        self._targets: list[int] = []
        self._weights: list[float] = []
        self._stretches: list[Stretch] = []

    def stretch(self, ids: Ids, position: int, seen: tuple[int, int], mask: torch.Tensor) -> None:
        """Add tokens, the first at `position` of its prompt."""
        first = len(self.ids)
        self.ids += ids
        self._positions += range(position, position + len(ids))
        self._stretches.append(Stretch(first, len(self.ids), seen, mask))

    def teach(self, first: int, answer: Ids, weight: float) -> None:
        """Teach `answer`, its first token being what follows token `first`."""
        self._kept += range(first, first + len(answer))
        self._targets += answer
        self._weights += [weight] * len(answer)

    def packed(self, device: torch.device) -> Packed:
        """Return the run as tensors."""
        ids, positions, kept, targets = (
            torch.tensor(numbers, device=device)
            for numbers in (self.ids, self._positions, self._kept, self._targets)
        )
        weights = torch.tensor(self._weights, device=device)
        return Packed(ids[None], positions[None], kept, targets, weights, tuple(self._stretches))


def _behind(prompt: EncodedPrompt) -> Ids:
    return prompt.ids[len(prompt.prefix) :]


def _causal(tokens: int) -> torch.Tensor:
    return torch.ones(tokens, tokens, dtype=torch.bool).tril()


def _visible(examples: Sequence[int], member: Lesson, view: View) -> torch.Tensor:
    """Return which of a prompt's own tokens (rows) see which (columns)."""
    visible = _causal(member.own_tokens)
    end = 0
    for length in examples[: view.alone(len(examples))]:
        visible[end : end + length, :end] = False
        end += length
    return visible
