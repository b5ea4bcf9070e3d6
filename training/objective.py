"""What training makes smaller: a loss over the tokens that a run teaches.

An objective returns a sum, never a mean: the loop divides by what all workers' runs teach, so the
gradient does not depend on how a batch was cut up. Knows no data and no model.
"""

from typing import Protocol

import torch

from training.packed import Packed


class Objective(Protocol):
    """A loss summed over a run."""

    def __call__(self, logits: torch.Tensor, run: Packed) -> torch.Tensor:
        """*Shape:* logits (tokens taught, vocabulary); returns a number in fp32."""
        ...


def supervised(logits: torch.Tensor, run: Packed) -> torch.Tensor:
    """Return the weighted cross-entropy of the taught tokens, in nats."""
    losses = torch.nn.functional.cross_entropy(logits.float(), run.targets, reduction="none")
    return (losses * run.weights).sum()
