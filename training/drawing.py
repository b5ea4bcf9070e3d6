"""What a step teaches: lessons drawn from the sources, a function of seed and step alone.

A wording is drawn, some texts of one source are asked with it, each with its own neighbours as
examples, and the prompt is rendered and encoded by the code that serves. How many workers share a
step plays no part in what is drawn. Knows no model.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from training import regularisers
from training.corpus import Corpus
from training.packed import Lesson, Lessons, lesson_of
from training.regularisers import Rng, Wording
from training.settings import PromptSettings, Regularisers
from training.sheets import TypeSheet
from wraner.answers import AnswerSpec
from wraner.chat import ChatEncoder
from wraner.packs import TaggedExample
from wraner.prompts import render_extraction

_TRIES = 50  # texts looked at for one question before any will do


@dataclass(frozen=True, slots=True)
class Supply:
    """A corpus to draw from, its types, and how often it is drawn, as a weight."""

    corpus: Corpus
    types: tuple[TypeSheet, ...]
    weight: float


class Drawing:
    """Draws lessons from sources."""

    def __init__(
        self,
        supplies: Sequence[Supply],
        chat: ChatEncoder,
        *,
        seed: int,
        prompts: PromptSettings,
        regularise: Regularisers,
    ) -> None:
        self._supplies = tuple(supplies)
        weights = np.array([s.weight for s in supplies])
        self._shares = weights / weights.sum()
        self._chat = chat
        self._seed = seed
        self._prompts = prompts
        self._regularise = regularise

    def step(self, number: int, *, tokens: int) -> list[Lessons]:
        """Return what step `number` teaches: groups of at least `tokens` in all."""
        rng = np.random.default_rng([self._seed, number])
        groups: list[Lessons] = []
        while sum(g.tokens for g in groups) < tokens:
            groups.append(self._group(rng))
        return groups

    def _group(self, rng: Rng) -> Lessons:
        supply = self._supplies[int(rng.choice(len(self._supplies), p=self._shares))]
        wording = self._wording(rng, supply.types)
        members = tuple(
            self._lesson(rng, supply.corpus, wording) for _ in range(self._prompts.questions)
        )
        return Lessons(members)

    def _wording(self, rng: Rng, types: Sequence[TypeSheet]) -> Wording:
        settings = self._regularise
        kept = regularisers.masked(rng, types, settings.mask_types)
        wording = regularisers.plain(regularisers.shuffled(rng, kept, settings.shuffle_types))
        wording = regularisers.paraphrased(rng, wording, settings.paraphrases)
        wording = regularisers.renamed(rng, wording, settings.synonyms)
        wording = regularisers.undefined(rng, wording, settings.undefined)
        return regularisers.anonymous(rng, wording, settings.letters)

    def _lesson(self, rng: Rng, corpus: Corpus, wording: Wording) -> Lesson:
        number, example = self._text(rng, corpus, wording)
        shown = self._shown(rng, corpus, number, wording)
        prompt = render_extraction(wording.entity_types, shown, example.text)
        answer = AnswerSpec(_names(wording), example.text).render(example.entities)
        return lesson_of(prompt, answer, self._chat, max_tokens=self._prompts.max_tokens)

    def _text(self, rng: Rng, corpus: Corpus, wording: Wording) -> tuple[int, TaggedExample]:
        """Draw a text; of those without a mention asked for only some are kept."""
        number = 0
        example: TaggedExample
        for _ in range(_TRIES):
            number = int(rng.integers(len(corpus)))
            example = wording.tagged(corpus.example(number))
            if example.entities or rng.random() < self._prompts.none_kept:
                break
        return number, example

    def _shown(
        self, rng: Rng, corpus: Corpus, number: int, wording: Wording
    ) -> list[TaggedExample]:
        """Return the examples of a text, nearest first."""
        settings = self._regularise
        weights = np.array(self._prompts.examples, dtype=float)
        wanted = int(rng.choice(len(weights), p=weights / weights.sum()))
        trusted = regularisers.trusted(corpus.doubts(number), settings.drop_doubted)
        near = [i for i in corpus.neighbours(number) if i in trusted][:wanted]
        same = corpus.same(number)
        others = [i for i in trusted if i not in same]
        near = regularisers.irrelevant(rng, near, others, settings.irrelevant)
        near = regularisers.shuffled(rng, near, settings.shuffle_examples)
        names = _names(wording)
        return [
            regularisers.mistagged(
                rng, wording.tagged(corpus.example(i)), names, settings.mistagged
            )
            for i in near
        ]


def _names(wording: Wording) -> tuple[str, ...]:
    return tuple(t.name for t in wording.entity_types)
