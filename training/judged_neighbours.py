"""The judged texts nearest to one on either side of a policy, as a question about it shows them.

Near is what the word encoder without its tuning says, which was taught these very texts and would
find nearer ones than a new policy has. A text is never shown with one of the same letters and
digits. Knows no prompt and no tokens.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from training.moderation_rows import same_text
from wraner.packs import JudgedExample

Vectors = npt.NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]
"""Texts to unit vectors. *Shape:* (n_texts, dimension)."""


class JudgedNeighbours:
    """Finds judged texts by their vectors; all are encoded at once."""

    def __init__(self, examples: Sequence[JudgedExample], encode: Encode) -> None:
        self._examples = tuple(examples)
        self._keys = tuple(same_text(e.text) for e in self._examples)
        self._encode = encode
        self._vectors = encode([e.text for e in self._examples])
        self._known: dict[str, Vectors] = {
            e.text: v for e, v in zip(self._examples, self._vectors, strict=True)
        }

    def nearest(self, text: str, policy: str, a_side: int) -> list[JudgedExample]:
        """Return the nearest that breach a policy and the nearest that keep it, nearest first."""
        order = np.argsort(-(self._vectors @ self._vector(text)), kind="stable")
        key, left = same_text(text), {True: a_side, False: a_side}
        found: list[JudgedExample] = []
        for number in order:
            if not any(left.values()):
                break
            side = _side(self._examples[number], policy)
            if side is not None and left[side] and self._keys[number] != key:
                left[side] -= 1
                found.append(self._examples[number])
        return found

    def _vector(self, text: str) -> Vectors:
        if text not in self._known:
            self._known[text] = self._encode([text])[0]
        return self._known[text]


def _side(example: JudgedExample, policy: str) -> bool | None:
    """Return whether an example breaches a policy; None where it does not say."""
    if policy in example.violates:
        return True
    return False if example.keeps(policy) else None
