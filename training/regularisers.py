"""Regularisers: what keeps a model reading the prompt instead of remembering entities.

Each is a function of a random generator and a probability of its own, and with probability 0 it
changes nothing; `trusted` draws nothing and has a share in its place. What a prompt asks is a
`Wording`: types in an order, under names and definitions that may differ from draw to draw (Sainz
et al. 2024, GoLLIE, section 3; our reconstruction of what IF-WRANER leaves unsaid). Knows no model
and no tokens.
"""

import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeVar

import numpy as np

from training.sheets import TypeSheet
from wraner.entities import Mention
from wraner.packs import EntityType, TaggedExample

T = TypeVar("T")
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Worded:
    """A type of a source and how a prompt shows it."""

    sheet: TypeSheet
    shown: EntityType


@dataclass(frozen=True)
class Wording:
    """The types that a prompt asks for, in order."""

    types: tuple[Worded, ...]

    @cached_property
    def _shown_names(self) -> dict[str, str]:
        return {w.sheet.name: w.shown.name for w in self.types}

    @property
    def entity_types(self) -> tuple[EntityType, ...]:
        """The types as the prompt shows them."""
        return tuple(w.shown for w in self.types)

    def tagged(self, example: TaggedExample) -> TaggedExample:
        """Return an example as the prompt shows it: its types renamed, other mentions untagged."""
        names = self._shown_names
        mentions = tuple(
            replace(m, label=names[m.label]) for m in example.entities if m.label in names
        )
        return example.model_copy(update={"entities": mentions})


def plain(types: Sequence[TypeSheet]) -> Wording:
    """Word types as their sheet does."""
    return Wording(
        tuple(Worded(t, EntityType(name=t.name, definition=t.definition)) for t in types)
    )


def masked(rng: Rng, types: Sequence[T], probability: float) -> list[T]:
    """Leave some of the types out: the model shall find what is asked, no more."""
    if rng.random() >= probability:
        return list(types)
    kept = int(rng.integers(1, len(types) + 1))
    return [types[i] for i in sorted(rng.choice(len(types), kept, replace=False))]


def shuffled(rng: Rng, items: Sequence[T], probability: float) -> list[T]:
    """Put things in another order."""
    if rng.random() >= probability:
        return list(items)
    return [items[i] for i in rng.permutation(len(items))]


def paraphrased(rng: Rng, wording: Wording, probability: float) -> Wording:
    """Define each type in other words."""

    def other(worded: Worded) -> Worded:
        if not worded.sheet.paraphrases or rng.random() >= probability:
            return worded
        words = _pick(rng, worded.sheet.paraphrases)
        return replace(worded, shown=worded.shown.model_copy(update={"definition": words}))

    return Wording(tuple(map(other, wording.types)))


def undefined(rng: Rng, wording: Wording, probability: float) -> Wording:
    """Drop all definitions: names and examples must do."""
    if rng.random() >= probability:
        return wording
    return Wording(
        tuple(
            replace(w, shown=w.shown.model_copy(update={"definition": ""})) for w in wording.types
        )
    )


def renamed(rng: Rng, wording: Wording, probability: float) -> Wording:
    """Call each type by a synonym."""
    if rng.random() >= probability:
        return wording
    return Wording(
        tuple(_named(w, _pick(rng, (w.sheet.name, *w.sheet.synonyms))) for w in wording.types)
    )


def anonymous(rng: Rng, wording: Wording, probability: float) -> Wording:
    """Call the types by letters, so that only definitions and examples tell what they are.

    Types without definitions keep their names, since nothing else would tell them apart, and so do
    more types than there are letters.
    """
    alphabet = list(string.ascii_uppercase)
    told = all(w.shown.definition for w in wording.types)
    if rng.random() >= probability or not told or len(wording.types) > len(alphabet):
        return wording
    letters = rng.permutation(alphabet)[: len(wording.types)]
    return Wording(
        tuple(_named(w, f"type {letter}") for w, letter in zip(wording.types, letters, strict=True))
    )


def trusted(doubts: Mapping[T, float], share: float) -> list[T]:
    """Leave out the `share` of examples that are doubted most; of equal ones none or all."""
    ranked = sorted(doubts.values(), reverse=True)
    gone = round(share * len(ranked))
    if gone == len(ranked):
        return []
    return [example for example, doubt in doubts.items() if doubt <= ranked[gone]]


def irrelevant(rng: Rng, near: Sequence[T], others: Sequence[T], probability: float) -> list[T]:
    """Put an example drawn at random in the place of each neighbour, with `probability`.

    A neighbour stays where the drawn one is shown already.
    """
    shown = list(near)
    for place in range(len(shown)):
        if others and rng.random() < probability:
            drawn = _pick(rng, others)
            shown[place] = shown[place] if drawn in shown else drawn
    return shown


def mistagged(
    rng: Rng, example: TaggedExample, labels: Sequence[str], probability: float
) -> TaggedExample:
    """Spoil an example's mentions, each with `probability`: half are lost, half mislabelled."""
    kept: list[Mention] = []
    for mention in example.entities:
        if rng.random() >= probability:
            kept.append(mention)
        elif rng.random() < 0.5:
            kept.append(replace(mention, label=_pick(rng, labels)))
    return example.model_copy(update={"entities": tuple(kept)})


def _named(worded: Worded, name: str) -> Worded:
    return replace(worded, shown=worded.shown.model_copy(update={"name": name}))


def _pick(rng: Rng, items: Sequence[T]) -> T:
    return items[int(rng.integers(len(items)))]
