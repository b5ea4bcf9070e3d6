"""From a judge's answer and the index's evidence to one score.

A logistic function of two numbers that know no policy by name: how much likelier the model finds
``yes`` than ``no``, and how much nearer the text lies to violating than to complying examples.
Knows no engine and no index.
"""

import math
from dataclasses import dataclass

from wraner.retrieval import PolicyEvidence


@dataclass(frozen=True, slots=True)
class Fusion:
    """Weights of a logistic score; `calibrated` says that they were fitted to give probabilities.

    `judge` multiplies log p(yes) - log p(no), `margin` the similarity to violating minus complying
    examples.
    """

    judge: float
    margin: float
    bias: float
    calibrated: bool = False

    def score(self, judge_logit: float, evidence: PolicyEvidence) -> float:
        """Return how surely the policy is breached, 0..1."""
        total = self.judge * judge_logit + self.margin * lead(evidence) + self.bias
        return 1 / (1 + math.exp(-total))


UNTUNED = Fusion(judge=1.27, margin=4.07, bias=1.60)
"""For the bundled model without adapter; fitted by `training.fusion` (see training/LOG.md)."""


def lead(evidence: PolicyEvidence) -> float:
    """Return how much nearer the nearest violating example lies than the nearest complying one.

    Where a side has no example, the similarity to the policy's own words stands in for it.
    """
    near = max((n.similarity for n in evidence.violating), default=evidence.definition)
    far = max((n.similarity for n in evidence.complying), default=evidence.definition)
    return near - far
