"""From a judge's answers and the index's evidence to scores, of each policy and of the whole text.

Logistic functions of numbers that know no policy by name, so that a policy added a moment ago is
scored like any other. A judge is surer of policies that it was taught than of others, and less
often right about these, so policies in words that it never read have weights of their own. Knows no
engine and no index.
"""

import hashlib
import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from wraner.packs import Policy

if TYPE_CHECKING:  # manifests hold fusions, and the command line reads manifests without numpy
    from wraner.retrieval import Evidence, JudgedNeighbour, PolicyEvidence

_MOST_WORDS = 0.45  # of those taught: nine of ten policies, each of which is taught in two ways
_LEAST = 1e-6  # no score is surer, or the log of its odds would be infinite

Judged = tuple[Policy, "PolicyEvidence", float]
"""A policy with what was found of it and its score."""


class VerdictFusion(BaseModel):
    """Weights of the score of a whole text, that it breaches any policy of the set."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    overall: float
    """Multiplies log p(yes) - log p(no), asked once about the whole set."""
    leaning: float
    """Multiplies `Evidence.leaning`, kept within `LEANING_REACH`."""
    strongest: float
    """Multiplies the log-odds of the highest score among the policies that were judged."""
    bias: float
    """Is added."""
    definition: float = 0.0
    """Multiplies the similarity to the words of the policy that comes nearest."""
    number: float = 0.0
    """Multiplies the log of how many times `SHORTLIST` policies were judged: among more of them the
    highest score is higher by chance."""

    def score(self, overall: float, evidence: "Evidence", policies: tuple[float, ...]) -> float:
        """Return how surely a text breaches a policy, 0..1; `policies` are their scores.

        Where none was judged, none says that the text keeps all of them.
        """
        told = 0.0
        if policies:
            number = self.number * math.log(len(policies) / SHORTLIST)
            told = self.strongest * log_odds(max(policies)) + number
        return _logistic(
            self.overall * overall
            + self.leaning * within_reach(evidence.leaning)
            + self.definition * nearest_definition(evidence)
            + told
            + self.bias
        )


class Fusion(BaseModel):
    """Weights of a policy's score, and those of a whole text's, where it has its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    judge: float
    """Multiplies log p(yes) - log p(no)."""
    margin: float
    """Multiplies the similarity to violating minus complying examples, see `lead`."""
    bias: float
    """Is added."""
    leaning: float = 0.0
    """Multiplies `PolicyEvidence.leaning`, kept within `LEANING_REACH`."""
    definition: float = 0.0
    """Multiplies the similarity to the policy's own words."""
    word_leaning: float = 0.0
    """Multiplies `PolicyEvidence.word_leaning`, kept within `LEANING_REACH`."""
    wording: float = 0.0
    """Multiplies the similarity to all that the policy names, by an untuned encoder."""
    case: float = 0.0
    """Multiplies that to the nearest case of what it names."""
    verdict: VerdictFusion | None = None
    """The text's score; None: the highest of its policies'."""
    examples_shown: Annotated[int, Field(ge=0, le=2)] = 0
    """So many of the nearest examples on each side stand in a policy's question; two are found."""
    calibrated: bool = False
    """Whether all weights were fitted to give probabilities."""
    few: "Fusion | None" = None
    """What is used instead for a policy set of fewer than `FEW_EXAMPLES` examples, which cannot say
    what people write in general; None: the same."""
    taught: tuple[str, ...] = ()
    """The titles and definitions that the judge was taught, as `wordings` names them."""
    untaught: "Fusion | None" = None
    """What is used instead for policies that have neither title nor definition among `taught`, and
    for the whole text as far as it may breach them; None: the same."""
    foreign: "Fusion | None" = None
    """Of `untaught`, what is used instead for policies of another kind than those that the encoder
    was tuned on: their `kin` is below `KIN`; None: the same."""
    allow_list: "Fusion | None" = None
    """Of `untaught`, what is used instead for policies that name what alone is allowed; None: the
    same."""
    bare: "Fusion | None" = None
    """What is used instead where no example shows a breach; None: the same."""

    def of_policy(self, policy: Policy, found: "PolicyEvidence", examples: int) -> "Fusion":
        """Return what scores a policy of a set of so many examples."""
        if self.untaught is None or self.knows(policy):
            return self._of_examples(examples)
        return self.untaught._of_kind(policy, found)._of_breaches([found])

    def text_scores(
        self, overall: float | None, evidence: "Evidence", judged: Sequence[Judged]
    ) -> list[float]:
        """Return how surely a text breaches policies of each kind that is judged, 0..1.

        The highest says how surely it breaches any; of several it is no probability. One is by the
        policies that were taught and `overall`, the judge's answer about the set, one by each kind
        of the others. `overall` is None where it was not asked for or there is no answer: each
        taught policy's score then stands for itself.
        """
        known = tuple(score for policy, _, score in judged if self.knows(policy))
        others = [one for one in judged if not self.knows(one[0])]
        found = list(known)
        verdict = self._of_examples(evidence.examples).verdict
        if verdict is not None and overall is not None:
            found = [verdict.score(overall, evidence, known)]
        for fusion, some in self._by_kind(others):
            scores = tuple(score for *_, score in some)
            apart = fusion._of_breaches([e for _, e, _ in some]).verdict
            found += scores if apart is None else [apart.score(0.0, evidence, scores)]
        return found

    def asks_overall(self, policies: Iterable[Policy]) -> bool:
        """Return whether the judge's answer about a set of these policies is heard.

        It was taught to answer about all that it knows, and says yes of what breaches any of these:
        of a set with fewer, their own scores tell more (training/LOG.md, 2026-11-28).
        """
        if self.verdict is None:
            return False
        known = [policy for policy in policies if self.knows(policy)]
        said = set(wordings(known)).intersection(self.taught)
        most = self.untaught is None or len(said) >= _MOST_WORDS * len(self.taught)
        return bool(known) and most

    def knows(self, policy: Policy) -> bool:
        """Return whether a policy is scored as one that the judge was taught."""
        if self.untaught is None:
            return True
        said = (policy.title, policy.definition)
        return not policy.is_allow_list and any(_name(words) in self.taught for words in said)

    def _by_kind(self, others: Sequence[Judged]) -> list[tuple["Fusion", list[Judged]]]:
        """Return what scores the text by its policies that were not taught, kind by kind."""
        if self.untaught is None:
            return []
        kinds = [self.untaught._of_kind(policy, e) for policy, e, _ in others]
        return [
            (kind, [o for o, own in zip(others, kinds, strict=True) if own is kind])
            for kind in (self.untaught, self.untaught.foreign, self.untaught.allow_list)
            if kind is not None and any(own is kind for own in kinds)
        ]

    def _of_kind(self, policy: Policy, found: "PolicyEvidence") -> "Fusion":
        if policy.is_allow_list:
            return self.allow_list or self
        return self if self.foreign is None or found.kin >= KIN else self.foreign

    def _of_breaches(self, found: Iterable["PolicyEvidence"]) -> "Fusion":
        return self if self.bare is None or any(e.violating for e in found) else self.bare

    def _of_examples(self, count: int) -> "Fusion":
        return self.few if self.few is not None and count < FEW_EXAMPLES else self

    def shown(self, found: "PolicyEvidence") -> tuple["JudgedNeighbour", ...]:
        """Return the examples that stand in a policy's question, nearest first."""
        return found.nearest(self.examples_shown)

    def score(self, judge_logit: float, evidence: "PolicyEvidence") -> float:
        """Return how surely the policy is breached, 0..1."""
        return _logistic(
            self.judge * judge_logit
            + self.margin * lead(evidence)
            + self.leaning * within_reach(evidence.leaning)
            + self.definition * evidence.definition
            + self.word_leaning * within_reach(evidence.word_leaning)
            + self.wording * evidence.wording
            + self.case * evidence.case
            + self.bias
        )


UNTUNED = Fusion(judge=1.27, margin=4.07, bias=1.60, examples_shown=2)
"""For the bundled models without adapter or tuning; a guess beside others (training/LOG.md)."""

SHORTLIST = 5
"""So many policies of a set are judged where a request does not ask for all."""

FEW_EXAMPLES = 1000
"""From so many examples on, where a text leans to says something of texts in general."""

KIN = 0.25
"""So near lie policies of one kind. The 41 against hate speech have .32 to .7 of their mean, house
rules of a market, an office and a forum -.1 to .2."""

LEANING_REACH = 12.0
"""Beyond this, nearer examples say nothing more: a copy of one settles nothing alone."""


def wordings(policies: Iterable[Policy]) -> tuple[str, ...]:
    """Return names of policies' titles and definitions: hashes, letter case and spaces aside."""
    said = {words for policy in policies for words in (policy.title, policy.definition) if words}
    return tuple(sorted(set(map(_name, said))))


@lru_cache(maxsize=10_000)
def _name(words: str) -> str:
    plain = " ".join(words.split()).casefold()
    return hashlib.sha256(plain.encode()).hexdigest()[:12]


def within_reach(leaning: float) -> float:
    """Return a leaning within ±`LEANING_REACH`."""
    return max(-LEANING_REACH, min(LEANING_REACH, leaning))


def log_odds(score: float) -> float:
    """Return the log of a score's odds, within the reach of what is no certainty."""
    kept = min(1 - _LEAST, max(_LEAST, score))
    return math.log(kept / (1 - kept))


def nearest_definition(evidence: "Evidence") -> float:
    """Return the similarity of a text to the policy whose own words come nearest."""
    return max((e.definition for e in evidence.policies), default=0.0)


def lead(evidence: "PolicyEvidence") -> float:
    """Return how much nearer the nearest violating example lies than the nearest complying one.

    Where a side has no example, the similarity to the policy's own words stands in for it.
    """
    near = max((n.similarity for n in evidence.violating), default=evidence.definition)
    far = max((n.similarity for n in evidence.complying), default=evidence.definition)
    return near - far


def _logistic(total: float) -> float:
    return 1 / (1 + math.exp(-max(-500.0, min(500.0, total))))
