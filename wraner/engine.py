"""What a language model can do for us.

Two verbs: `generate` what an AnswerSpec permits, `score` given continuations. Both take many
requests at once and answer each on its own, so one bad request never spoils its neighbours'
answers. Knows no model, no tokenizer and no queue; `local` implements it with transformers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from wraner.answers import AnswerSpec
from wraner.prompts import Prompt


@dataclass(frozen=True, slots=True)
class GenerateRequest:
    """One answer to write. `adapter` is a content hash, "" the base model alone.

    `deadline` is in seconds since the epoch (machines share no other clock).
    """

    prompt: Prompt
    spec: AnswerSpec
    adapter: str = ""
    deadline: float = float("inf")


@dataclass(frozen=True, slots=True)
class ScoreRequest:
    """Continuations of one prompt to weigh against each other.

    What is `dispensable` need not fit the model's context: it is then answered without weights, and
    the other requests of its call as ever.
    """

    prompt: Prompt
    continuations: tuple[str, ...]
    adapter: str = ""
    deadline: float = float("inf")
    dispensable: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an answer and the probability of its choices among those permitted."""

    text: str
    score: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What was generated.

    `examples_used` of the prompt's examples fitted into the context, nearest first; `truncated`
    says that the answer hit the token limit before its own end.
    """

    lines: tuple[Line, ...]
    examples_used: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class Scores:
    """The log-probability of each continuation (natural log, whole continuation).

    There is none where the request was dispensable and does not fit.
    """

    logprobs: tuple[float, ...]
    examples_used: int


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Which weights answer: `model` names and hashes the base, `adapters` those that are loaded."""

    model: str
    adapters: tuple[str, ...]


class Engine(Protocol):
    """A language model behind a queue."""

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Answer]:
        """Write one answer a request, each within what its spec permits.

        Raises:
            InvalidInput: a prompt does not fit the model's context even without examples, and is
                not dispensable.
            NotFound: an adapter is not there.
            Overloaded: the queue is full.
            DeadlineExceeded: the time was up.
            Unavailable: the model cannot answer.
        """
        ...

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        """Weigh each request's continuations. Raises as `generate` does."""
        ...

    async def info(self) -> ModelInfo:
        """Return which weights answer."""
        ...
