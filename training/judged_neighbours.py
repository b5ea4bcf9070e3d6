"""The judged texts nearest to one on either side of a policy, as a question about it shows them.

Near is what the word encoder without its tuning says, which was taught these very texts and would
find nearer ones than a new policy has. A text is never shown with one of the same letters and
digits. Knows no prompt and no tokens.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from index.contextual import ContextualEncoder
from index.encoders import TEXT_LAYER
from training.communities import Communities
from training.judged_texts import JudgedTexts
from training.kept_vectors import Vectors, kept_vectors
from training.moderation_rows import same_text
from wraner.packs import JudgedExample

Encode = Callable[[Sequence[str]], Vectors]
"""Texts to unit vectors. *Shape:* (n_texts, dimension)."""


class JudgedNeighbours:
    """Finds judged texts by their vectors; all are encoded at once, unless theirs are at hand."""

    def __init__(
        self, examples: Sequence[JudgedExample], encode: Encode, vectors: Vectors | None = None
    ) -> None:
        self._examples = tuple(examples)
        self._keys = tuple(same_text(e.text) for e in self._examples)
        self._encode = encode
        self._vectors = encode([e.text for e in self._examples]) if vectors is None else vectors
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


class NeighbourFinder:
    """Finds neighbours among judged texts, whose vectors are kept in `folder`.

    `say` is told what must be read for it.
    """

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self._encoder = ContextualEncoder(layer=TEXT_LAYER)
        self._folder = folder
        self._say = say

    def of_texts(self, judged: JudgedTexts, *, own: bool) -> JudgedNeighbours:
        """Return the neighbours of judged texts, with the policy set's own ones among them."""
        examples = [t.example for t in (*judged.train, *(judged.own if own else ()))]
        return self._neighbours(examples, self._vectors(examples, "judged"))

    def of_communities(self, communities: Communities) -> dict[str, JudgedNeighbours]:
        """Return the neighbours within each community."""
        packs = communities.packs
        examples = [e for pack in packs.values() for e in pack.examples]
        vectors = self._vectors(examples, "communities'")
        ends = np.cumsum([len(pack.examples) for pack in packs.values()])[:-1]
        return {
            name: self._neighbours(pack.examples, own)
            for (name, pack), own in zip(packs.items(), np.split(vectors, ends), strict=True)
        }

    def _neighbours(self, examples: Sequence[JudgedExample], vectors: Vectors) -> JudgedNeighbours:
        return JudgedNeighbours(examples, self._encoder.sentences, vectors)

    def _vectors(self, examples: Sequence[JudgedExample], whose: str) -> Vectors:
        texts = [e.text for e in examples]
        words = f"reading {len(texts):,} {whose} texts to find each one's neighbours"
        return kept_vectors(self._encoder, texts, self._folder, lambda: self._say(words))


def _side(example: JudgedExample, policy: str) -> bool | None:
    """Return whether an example breaches a policy; None where it does not say."""
    if policy in example.violates:
        return True
    return False if example.keeps(policy) else None
