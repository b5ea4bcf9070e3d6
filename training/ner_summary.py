"""Summary of an evaluation: every figure that its report shows, each computed once.

Knows no layout.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from training import ner_scores
from training.bootstrap import Interval, mean_interval
from training.ner_results import DomainResult
from training.ner_scores import AnswerErrors, Column, ContentErrors, RetrievalScore, TypeScore
from wraner.metrics import SpanCounts


@dataclass(frozen=True, slots=True)
class Columns:
    """Micro-F1 of the same sentences, counted in four ways; None where no sentence is left.

    See `ner_scores.Column`: all; without the leftover type (misc); without repeats; without both.
    """

    all: Interval | None
    no_leftover: Interval | None
    no_repeats: Interval | None
    neither: Interval | None


@dataclass(frozen=True, slots=True)
class DomainSummary:
    """One domain's figures; `counts` and `errors` are over all mentions of all sentences."""

    domain: str
    split: str
    leftover: tuple[str, ...]
    sentences: int
    whole: int
    repeats: int
    f1: Columns
    counts: SpanCounts
    types: tuple[TypeScore, ...]
    errors: ContentErrors
    answers: AnswerErrors
    retrieval: RetrievalScore
    pack: str
    index: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Fact:
    """A setting or a version: what it is called and what it was."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """What produced an evaluation; `made` is the date and time."""

    command: str
    made: str
    settings: tuple[Fact, ...]
    versions: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """All domains' figures, and the mean of their F1."""

    domains: tuple[DomainSummary, ...]
    average: Columns
    provenance: Provenance

    @property
    def has_leftover(self) -> bool:
        """Whether a type of what fits no other is declared, so that leaving it out is no copy."""
        return any(d.leftover for d in self.domains)

    @property
    def is_sample(self) -> bool:
        """Whether not all sentences of every split were asked about."""
        return any(d.sentences < d.whole for d in self.domains)

    @property
    def impossible(self) -> int:
        """How many entities break what the pipeline guarantees: 0, or it has a fault."""
        return sum(d.answers.impossible for d in self.domains)


def summarise(results: Sequence[DomainResult], provenance: Provenance) -> Summary:
    """Compute every figure.

    Raises:
        ValueError: there is no domain.
    """
    if not results:
        raise ValueError("expected at least one domain's result, was: none")
    return Summary(tuple(map(_domain, results)), _columns(results), provenance)


def _domain(result: DomainResult) -> DomainSummary:
    compared = ner_scores.compare(result, ner_scores.ALL)
    return DomainSummary(
        domain=result.domain,
        split=result.split,
        leftover=result.leftover,
        sentences=len(result.sentences),
        whole=result.whole,
        repeats=sum(bool(s.also_in) for s in result.sentences),
        f1=_columns([result]),
        counts=ner_scores.total([c.counts for c in compared]),
        types=ner_scores.score_types(compared, result.types),
        errors=ner_scores.find_content_errors(compared),
        answers=ner_scores.find_answer_errors(result),
        retrieval=ner_scores.score_retrieval(result),
        pack=result.pack,
        index=result.index,
        seconds=result.seconds,
    )


def _columns(results: Sequence[DomainResult]) -> Columns:
    return Columns(
        _interval(results, ner_scores.ALL),
        _interval(results, ner_scores.NO_LEFTOVER),
        _interval(results, ner_scores.NO_REPEATS),
        _interval(results, ner_scores.NEITHER),
    )


def _interval(results: Sequence[DomainResult], column: Column) -> Interval | None:
    counts = [ner_scores.count(result, column) for result in results]
    return mean_interval(counts) if all(counts) else None
