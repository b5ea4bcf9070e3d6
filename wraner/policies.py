"""Verdicts: which policies a text breaches, how sure, on what evidence. Knows no model."""

from dataclasses import dataclass
from typing import Literal

from wraner.entities import Span

Decision = Literal["violates", "review", "allowed"]


@dataclass(frozen=True, slots=True)
class Citation:
    """A retrieved example by its id, with its similarity to the text."""

    id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of a text was looked at; `truncated` says that an answer was cut short."""

    characters: int
    windows: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class PolicyMatch:
    """One policy that the model judged, with its score (0..1) and the evidence for it."""

    policy: str
    title: str
    tier: int | None
    score: float
    neighbours: tuple[Citation, ...]
    evidence: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The decision on one text; `calibrated` says whether scores are probabilities.

    Of the policy set, in its order, `judged` were judged by the model; `policies_skipped` were left
    out by the shortlist. `matches` are those that the decision rests on, strongest first.
    """

    decision: Decision
    score: float
    calibrated: bool
    matches: tuple[PolicyMatch, ...]
    coverage: Coverage
    judged: tuple[PolicyMatch, ...]
    policies_skipped: int
    index: str

    @property
    def flagged(self) -> bool:
        """Whether the text was found to breach a policy."""
        return self.decision == "violates"
