"""What the examples in a prompt look at: what a model was tuned for, and so how it is served.

An example that sees the instruction and itself only has the same keys and values in every prompt,
so they can be remembered. Knows no tokens and no weights.
"""

from enum import StrEnum


class View(StrEnum):
    """What an example in a prompt looks at, besides the instruction and itself."""

    SEQUENCE = "sequence"
    """All examples before it."""
    NEAREST = "nearest"
    """The nearest, which stands last, all examples before it; the others nothing."""
    BESIDE = "beside"
    """Nothing: all of them can be remembered (Ratner et al. 2023, parallel context windows)."""

    def alone(self, examples: int) -> int:
        """Return how many of a prompt's examples, from its beginning, see no other."""
        if self is View.SEQUENCE:
            return 0
        return examples if self is View.BESIDE else max(examples - 1, 0)
