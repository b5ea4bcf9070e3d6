"""How near all examples of a policy set lie to a text, and towards which side of a policy it leans.

Knows no policy and no index.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from index.similarity import Doubles

_KERNEL = 0.05  # the temperature that the encoder for policy sets was tuned with
# One in twenty candidates lies farther. Leanings by words are then .16 off those of all examples
# for 60 texts among 2,307 of HateModerate; were others left out of account, .28 and nothing said of
# a policy whose examples are all among them.
_FARTHER = 0.05
_MANY = 32_768  # examples: more make no flat index, and are summed ten times as fast another way

Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Likeness:
    """How near examples lie to a text.

    *Shape:* ``allowed``, whether an example may be retrieved, and ``similarity``, (n_examples,),
    -inf where it may not, or was not compared.
    """

    similarity: Doubles
    allowed: Flags

    def leaning(self, violates: Flags, complies: Flags) -> float:
        """Return how much likelier a text is among one side's examples than the other's, as a log.

        Each side's density is a mean of kernels around its examples, so sides weigh alike whatever
        their size; 0 where a side has none.
        """
        sides = [side & self.allowed for side in (violates, complies)]
        if not all(map(np.count_nonzero, sides)):
            return 0.0
        near, far = map(self._density, sides)
        return float(near - far)

    def _density(self, side: Flags) -> np.float64:
        known = side & self._known
        count = np.count_nonzero(side)
        others = count - np.count_nonzero(known)
        total = self._log_sum(known)
        if others:
            total = np.logaddexp(total, self._beyond / _KERNEL + np.log(others))
        return np.float64(total - np.log(count))

    def _log_sum(self, known: Flags) -> np.float64:
        if len(known) > _MANY and np.count_nonzero(known):
            return np.float64(np.log((known * self._kernels).sum()))
        return np.float64(np.logaddexp.reduce(self.similarity[known] / _KERNEL))

    @cached_property
    def _known(self) -> Flags:
        return np.isfinite(self.similarity)

    @cached_property
    def _kernels(self) -> Doubles:
        return np.asarray(np.exp(self.similarity / _KERNEL))  # at most e^20

    @cached_property
    def _beyond(self) -> float:
        """How near the examples count that were not compared: farther than most that were."""
        known = self.similarity[self._known]
        return float(np.quantile(known, _FARTHER)) if len(known) else 0.0
