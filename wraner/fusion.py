"""From a judge's answer and the index's evidence to one score.

A logistic function of two numbers that know no policy by name: how much likelier the model finds
``yes`` than ``no``, and how much nearer the text lies to violating than to complying examples. An
untuned 135M judge alone is near chance; the margin carries it. Knows no engine and no index.
"""

import math
from dataclasses import dataclass

from wraner.retrieval import PolicyEvidence


@dataclass(frozen=True, slots=True)
class Fusion:
    """Weights of a logistic score; `calibrated` says that they were fitted to give probabilities.

    `judge` multiplies log p(yes) - log p(no), `margin` the similarity to violating minus complying
    examples, `nearest` the similarity to the nearest violating one.
    """

    judge: float
    margin: float
    nearest: float
    bias: float
    calibrated: bool = False

    def score(self, judge_logit: float, evidence: PolicyEvidence) -> float:
        """Return how surely the policy is breached, 0..1."""
        nearest, margin = similarities(evidence)
        total = self.judge * judge_logit + self.margin * margin + self.nearest * nearest + self.bias
        return 1 / (1 + math.exp(-total))


UNTUNED = Fusion(judge=1.35, margin=3.94, nearest=1.54, bias=0.43)
"""For the bundled model without adapter; fitted by `training.fusion` (see training/LOG.md)."""


def similarities(evidence: PolicyEvidence) -> tuple[float, float]:
    """Return the similarity to the nearest violating example and its lead over complying ones.

    Where a side has no example, the similarity to the policy's own words stands in for it.
    """
    near = max((n.similarity for n in evidence.violating), default=evidence.definition)
    far = max((n.similarity for n in evidence.complying), default=evidence.definition)
    return near, near - far
