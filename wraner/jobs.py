"""One request on its way through the engine: encoded, at work in rows, answered or refused.

Knows no queue and no thread.
"""

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from wraner.chat import EncodedPrompt, Ids
from wraner.decode import Row
from wraner.engine import Answer, GenerateRequest, ScoreRequest, Scores
from wraner.errors import DeadlineExceeded
from wraner.grammar import GrowingAnswer, TokenGrammar


@dataclass(eq=False)
class Job:
    """A request with its encoded prompt; `groups` are a score's `options` by their beginnings."""

    request: GenerateRequest | ScoreRequest
    prompt: EncodedPrompt
    options: list[Ids]
    groups: list[list[Ids]]
    answer_tokens: int
    examples_used: int
    answered: "Future[Any]" = field(default_factory=Future)
    rows: list[Row] = field(default_factory=list)

    @property
    def adapter(self) -> str:
        """The adapter that it needs."""
        return self.request.adapter

    @property
    def tokens(self) -> int:
        """How long its prompt is."""
        return self.prompt.tokens

    def abandoned(self) -> bool:
        """Whether nobody waits for it any more."""
        return self.answered.cancelled() or time.time() > self.request.deadline

    def begin(self, grammar: TokenGrammar) -> list[Row]:
        """Make its rows and return them; none of them needs the model where nothing can be named.

        Raises:
            InvalidInput, Unavailable: as `GrowingAnswer`.
        """
        if isinstance(self.request, GenerateRequest):
            answer = GrowingAnswer(grammar, self.request.spec, max_tokens=self.answer_tokens)
            self.rows = [Row(self.prompt, answer, (), self.abandoned)]
        else:
            self.rows = [Row(self.prompt, None, group, self.abandoned) for group in self.groups]
        return self.rows

    def answer(self) -> None:
        """Answer with what its rows have found, all of them finished."""
        if self.abandoned():
            refuse([self], DeadlineExceeded("the request's time was up before its answer ended"))
            return
        failed = next((row.error for row in self.rows if row.error is not None), None)
        if failed is not None:
            refuse([self], failed)
            return
        result = self._result()
        if self.answered.set_running_or_notify_cancel():
            self.answered.set_result(result)

    def _result(self) -> Answer | Scores:
        answer = self.rows[0].answer
        if answer is not None:
            return Answer(tuple(answer.lines), self.examples_used, answer.truncated)
        weighed = {
            option: logprob
            for row in self.rows
            for option, logprob in zip(row.options, row.logprobs, strict=True)
        }
        return Scores(tuple(weighed[option] for option in self.options), self.examples_used)


def unfitting(request: ScoreRequest) -> Job:
    """Return a dispensable question that does not fit the model: answered, without weights."""
    job = Job(request, EncodedPrompt((), (), ()), [], [], 0, 0)
    job.answered.set_result(Scores((), 0))
    return job


def by_beginning(options: Sequence[Ids]) -> list[list[Ids]]:
    """Return the options in groups that are equal up to their last token."""
    groups: dict[Ids, list[Ids]] = {}
    for option in options:
        groups.setdefault(option[:-1], []).append(option)
    return list(groups.values())


def refuse(jobs: Iterable[Job], error: Exception) -> None:
    """Answer with an error those that are not answered yet."""
    for job in jobs:
        if not job.answered.done() and job.answered.set_running_or_notify_cancel():
            job.answered.set_exception(error)
