"""Judged: labelled texts and the verdicts on them, compared and counted.

A text breaches what it `violates`; it is harmless where it keeps every policy of the set. What a
label names in neither way is unknown, so that a text which keeps some policies and breaches none is
neither: it is partly labelled. A text for review is not flagged: it counts as let pass, and what it
was matched to as not found. Knows no server and no terminal.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from scipy.stats import binomtest

from training.bootstrap import Interval, affordable
from training.moderation_intervals import auroc_interval
from wraner.client.replies import Verdict
from wraner.packs import JudgedExample
from wraner.policies import Decision
from wraner.precedents import words_of

Fault = Literal["let pass", "flagged", "other policy"]


@dataclass(frozen=True, slots=True)
class Judged:
    """A labelled text, by its line, and what was decided; `policies` are all ids of the set."""

    line: int
    example: JudgedExample
    policies: tuple[str, ...]
    verdict: Verdict

    @property
    def breaches(self) -> bool:
        """Whether it breaches a policy, by its label."""
        return bool(self.example.violates)

    @property
    def harmless(self) -> bool:
        """Whether it keeps every policy, by its label."""
        return not self.breaches and all(map(self.example.keeps, self.policies))

    @property
    def matched(self) -> tuple[str, ...]:
        """The policies that it was found to breach, the likeliest first; none of one for review."""
        return tuple(m.policy for m in self.verdict.matches) if self.verdict.flagged else ()

    @property
    def fault(self) -> Fault | None:
        """What is wrong with the verdict: `other policy` where none that is breached is named.

        A text that is partly labelled is wrongly flagged where a policy is named that it keeps.
        """
        if not self.breaches:
            wrong = self.harmless or any(map(self.example.keeps, self.matched))
            return "flagged" if self.verdict.flagged and wrong else None
        if not self.verdict.flagged:
            return "let pass"
        return None if set(self.matched) & set(self.example.violates) else "other policy"

    @property
    def right(self) -> bool:
        """Whether nothing is wrong with the verdict."""
        return self.fault is None

    def record(self) -> dict[str, Any]:
        """Return it for a line of JSON."""
        label = self.example.model_dump(mode="json", exclude={"id"})
        kept = {"decision", "score", "matches"}
        verdict = self.verdict.model_dump(mode="json", include=kept)
        return {"line": self.line, **label, **verdict, "wrong": self.fault}


@dataclass(frozen=True, slots=True)
class PolicyCount:
    """Of the texts that breach a policy by label, how many are found to; of those that keep it."""

    policy: str
    breaching: int
    found: int
    keeping: int
    matched: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What verdicts are worth; shares and AUROC are None where a side has no text.

    `partly` counts texts that are partly labelled, which are on neither side. `right_first`:
    breaching texts that are flagged, for a policy that they breach before all others.
    """

    breaching: Mapping[Decision, int]
    harmless: Mapping[Decision, int]
    partly: Mapping[Decision, int]
    let_pass: Interval | None
    flagged: Interval | None
    auroc: Interval | None
    right_first: int
    policies: tuple[PolicyCount, ...]


def figures_of(judged: Sequence[Judged]) -> Figures:
    """Count what was decided."""
    breaching = [one for one in judged if one.breaches]
    harmless = [one for one in judged if one.harmless]
    partly = [one for one in judged if not one.breaches and not one.harmless]
    return Figures(
        breaching=_decisions(breaching),
        harmless=_decisions(harmless),
        partly=_decisions(partly),
        let_pass=_share([not one.verdict.flagged for one in breaching]),
        flagged=_share([one.verdict.flagged for one in harmless]),
        auroc=_auroc([*breaching, *harmless]),
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


def _auroc(sided: Sequence[Judged]) -> Interval | None:
    """Return the AUROC of the scores, None where there is no text on a side."""
    if not sided:
        return None
    return auroc_interval(
        [words_of(one.example.text) for one in sided],
        positive=[one.breaches for one in sided],
        scores=[one.verdict.score for one in sided],
        resampling=affordable(len(sided)),
    )


def _named(judged: Sequence[Judged]) -> list[str]:
    """Return the policies that labels name, or verdicts against a label, as they come."""
    named: dict[str, None] = {}
    for one in judged:
        complies = () if one.example.complies == "all" else one.example.complies
        wrongly = filter(one.example.keeps, one.matched)
        named.update(dict.fromkeys((*one.example.violates, *complies, *wrongly)))
    return list(named)


def _policy_count(policy: str, judged: Sequence[Judged]) -> PolicyCount:
    breaching = [policy in one.matched for one in judged if policy in one.example.violates]
    keeping = [policy in one.matched for one in judged if one.example.keeps(policy)]
    return PolicyCount(policy, len(breaching), sum(breaching), len(keeping), sum(keeping))
