"""Judged: labelled texts and the verdicts on them, compared and counted.

A text breaches what it `violates`; one that violates nothing is harmless. A text for review is not
flagged, so it counts as let pass. Knows no server and no terminal.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from scipy.stats import binomtest

from training.bootstrap import Interval
from training.moderation_intervals import auroc_interval
from wraner.client.replies import Verdict
from wraner.packs import JudgedExample
from wraner.policies import Decision
from wraner.precedents import words_of

Fault = Literal["let pass", "flagged", "other policy"]


@dataclass(frozen=True, slots=True)
class Judged:
    """A labelled text, by its line, and what was decided."""

    line: int
    example: JudgedExample
    verdict: Verdict

    @property
    def breaches(self) -> bool:
        """Whether it breaches a policy, by its label."""
        return bool(self.example.violates)

    @property
    def matched(self) -> tuple[str, ...]:
        """The policies that the decision rests on, the likeliest first."""
        return tuple(match.policy for match in self.verdict.matches)

    @property
    def fault(self) -> Fault | None:
        """What is wrong with the verdict: `other policy` where none that is breached is named."""
        if self.verdict.flagged != self.breaches:
            return "let pass" if self.breaches else "flagged"
        if self.breaches and not set(self.matched) & set(self.example.violates):
            return "other policy"
        return None


@dataclass(frozen=True, slots=True)
class PolicyCount:
    """Of the texts that breach a policy by label, how many match it; the same of those it keeps."""

    policy: str
    breaching: int
    found: int
    keeping: int
    matched: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What verdicts are worth; shares and AUROC are None where a side has no text.

    `right_first`: breaching texts of which the likeliest match is a policy that they breach.
    """

    breaching: Mapping[Decision, int]
    harmless: Mapping[Decision, int]
    let_pass: Interval | None
    flagged: Interval | None
    auroc: Interval | None
    right_first: int
    policies: tuple[PolicyCount, ...]


def figures_of(judged: Sequence[Judged]) -> Figures:
    """Count what was decided."""
    breaching = [one for one in judged if one.breaches]
    harmless = [one for one in judged if not one.breaches]
    return Figures(
        breaching=_decisions(breaching),
        harmless=_decisions(harmless),
        let_pass=_share([not one.verdict.flagged for one in breaching]),
        flagged=_share([one.verdict.flagged for one in harmless]),
        auroc=auroc_interval(
            [words_of(one.example.text) for one in judged],
            positive=[one.breaches for one in judged],
            scores=[one.verdict.score for one in judged],
        ),
        right_first=sum(bool(set(one.matched[:1]) & set(one.example.violates)) for one in judged),
        policies=tuple(_policy_count(policy, judged) for policy in _named(judged)),
    )


def _decisions(judged: Sequence[Judged]) -> dict[Decision, int]:
    counts = Counter(one.verdict.decision for one in judged)
    return {decision: counts[decision] for decision in ("violates", "review", "allowed")}


def _share(part: Sequence[bool]) -> Interval | None:
    """Return a share with Wilson's interval, since of few texts often none or all are wrong."""
    if not part:
        return None
    found = binomtest(sum(part), len(part))
    ends = found.proportion_ci(method="wilson")
    return Interval(float(found.statistic), float(ends.low), float(ends.high))


def _named(judged: Sequence[Judged]) -> list[str]:
    """Return the policies that labels name, in the order of their coming."""
    named: dict[str, None] = {}
    for one in judged:
        complies = () if one.example.complies == "all" else one.example.complies
        named.update(dict.fromkeys((*one.example.violates, *complies)))
    return list(named)


def _policy_count(policy: str, judged: Sequence[Judged]) -> PolicyCount:
    breaching = [policy in one.matched for one in judged if policy in one.example.violates]
    keeping = [policy in one.matched for one in judged if one.example.keeps(policy)]
    return PolicyCount(policy, len(breaching), sum(breaching), len(keeping), sum(keeping))
