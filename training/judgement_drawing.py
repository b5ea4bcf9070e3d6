"""What a step teaches a judge: questions about policies, a function of seed and step alone.

Some groups ask about a whole set, of texts half of which breach something; the others about one
policy: texts that breach it, texts that were collected for it and breach nothing, texts that breach
policies of other tiers, and, of the policy set's own examples, those that breach a near policy and
keep this one. Texts are a corpus's and, in part, these own examples, which are about everyday life
too, or breaching ones that are aimed elsewhere. House rules are asked about as well, in part of
texts that breach those policies, and of everyday messages. Wording and order vary, so that the
policy is read, and so do the groups of people that texts name, and how many examples a question
shows. Prompts are rendered and encoded by the code that serves. Knows no model.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from training.communities import AskedRule, Communities, picked
from training.groups import shipped_groups
from training.judged_neighbours import JudgedNeighbours
from training.judged_texts import JudgedTexts, TaughtText
from training.packed import Lesson, Lessons, lesson_of
from training.policy_wordings import numbered, shipped_wordings, titled
from training.regularisers import Rng
from training.settings import JudgementSettings
from wraner.chat import ChatEncoder
from wraner.packs import JudgedExample, Policy
from wraner.prompts import NO, YES, Prompt, render_judgement, render_overall

_MAX_TOKENS = 1536

T = TypeVar("T")


class JudgementDrawing:
    """Draws groups of questions that share an instruction.

    `neighbours` finds the examples that a question shows; None where the settings show none.
    `communities` have the house rules that are asked about where the settings say so, and
    `of_communities` finds the examples of such a question, by the community's name.
    """

    def __init__(
        self,
        judged: JudgedTexts,
        chat: ChatEncoder,
        *,
        seed: int,
        settings: JudgementSettings,
        neighbours: JudgedNeighbours | None = None,
        communities: Communities | None = None,
        of_communities: Mapping[str, JudgedNeighbours] | None = None,
    ) -> None:
        self._judged = judged
        self._neighbours = neighbours
        self._communities = communities
        self._of_communities = of_communities or {}
        self._chat = chat
        self._seed = seed
        self._settings = settings
        self._groups = shipped_groups()
        self._wordings = shipped_wordings()
        self._breaching, self._clean = _sides(judged.train)
        texts = self._breaching.texts if settings.retargeted else ()
        self._aimable = _Side([t for t in texts if self._groups.names_one(t.example.text)])
        self._own = _sides(judged.own)
        both = all(side.texts for side in self._own)
        self._own_share = settings.own if both else 0.0
        self._tiers = {p.id: p.tier for p in judged.policies}
        self._kept = {p.id: _kept(p.id, judged.own) for p in judged.policies}

    def step(self, number: int, *, tokens: int) -> list[Lessons]:
        """Return what step `number` teaches: groups of at least `tokens` in all."""
        rng = np.random.default_rng([self._seed, number])
        groups: list[Lessons] = []
        while sum(g.tokens for g in groups) < tokens:
            overall = rng.random() < self._settings.overall
            lessons = self._overall(rng) if overall else self._about_one(rng)
            groups.append(Lessons(tuple(_permuted(rng, lessons))))
        return groups

    def _overall(self, rng: Rng) -> list[Lesson]:
        policies = self._judged.policies
        if self._settings.shuffle:
            policies = tuple(_permuted(rng, policies))
        share = self._settings.reworded
        policies = tuple(self._wordings.reworded(rng, p, share) for p in policies)
        asked = self._judged.pack.model_copy(update={"policies": policies, "examples": ()})
        half = self._settings.overall_texts // 2
        own = round(half * self._own_share)
        yes, no = (side.drawn(rng, own) for side in self._own)
        yes += self._breaching.drawn(rng, half - own)
        no += self._retargeted(rng, self._aimable.texts, half - own)
        no += self._clean.drawn(rng, half - len(no))
        return [
            self._lesson(render_overall(asked, self._text(rng, text)), answer)
            for answer, texts in ((YES, yes), (NO, no))
            for text in texts
        ]

    def _about_one(self, rng: Rng) -> list[Lesson]:
        share = self._settings.rules
        if self._communities is None or not share or rng.random() >= share:
            return self._one_policy(rng)
        return self._house_rule(rng, self._communities)

    def _house_rule(self, rng: Rng, communities: Communities) -> list[Lesson]:
        asked = communities.drawn(
            rng,
            self._settings.policy_texts,
            turned_share=self._settings.turned,
            everyday_share=self._settings.everyday,
        )
        worded = self._worded(rng, asked.policy)
        near = None if asked.turned else self._of_communities.get(asked.community)
        return [
            self._lesson(
                render_judgement(worded, self._shown(rng, near, asked.policy, text), text),
                YES if breach else NO,
            )
            for text, breach in self._with_strangers(rng, asked)
        ]

    def _with_strangers(self, rng: Rng, asked: AskedRule) -> Sequence[tuple[str, bool]]:
        """Return a rule's texts, of which some are those that breach policies."""
        if asked.strangers is None or not self._settings.strangers:
            return asked.texts
        rest = [text for text in asked.texts if text[1] != asked.strangers]
        side = _permuted(rng, [text for text in asked.texts if text[1] == asked.strangers])
        count = int(rng.binomial(len(side), self._settings.strangers))
        own = round(count * self._own_share)
        strangers = self._own[0].drawn(rng, own) + self._breaching.drawn(rng, count - own)
        attacks = [(self._text(rng, text), asked.strangers) for text in strangers]
        return [*rest, *side[count:], *attacks]

    def _one_policy(self, rng: Rng) -> list[Lesson]:
        policies = self._judged.policies
        policy = policies[int(rng.integers(len(policies)))]
        worded = self._worded(rng, policy)
        half = self._settings.policy_texts // 2
        own = self._own_texts(policy, half)
        yes = picked(rng, self._breaching.near[policy.id], half - own)
        yes += picked(rng, self._own[0].near[policy.id], own)
        no = self._own_keeping(rng, policy, own)
        no += self._keeping(rng, policy, half - len(no))
        return [
            self._lesson(
                render_judgement(
                    worded,
                    self._shown(rng, self._neighbours, policy, text.example.text),
                    self._text(rng, text),
                ),
                answer,
            )
            for answer, texts in ((YES, yes), (NO, no))
            for text in texts
        ]

    def _own_texts(self, policy: Policy, half: int) -> int:
        """Return how many of so many texts are own examples: alike for breaches and others."""
        if not self._own_share or not self._own[0].near[policy.id]:
            return 0
        if not self._breaching.near[policy.id]:
            return half
        return round(half * self._own_share)

    def _own_keeping(self, rng: Rng, policy: Policy, count: int) -> list[TaughtText]:
        """Return so many own examples that keep a policy, some of which breach a near one."""
        texts = picked(rng, self._kept[policy.id], min(self._settings.kept, count))
        near = self._own[1].near[policy.id] if self._settings.contrasts else []
        return texts + picked(rng, near or self._own[1].texts, count - len(texts))

    def _keeping(self, rng: Rng, policy: Policy, count: int) -> list[TaughtText]:
        """Return so many of the corpus's texts that keep a policy: contrasts, and others."""
        contrasts = count // 2 if self._settings.contrasts else 0
        texts = self._retargeted(rng, self._aimable.near[policy.id], contrasts)
        texts += picked(rng, self._clean.near[policy.id], contrasts - len(texts))
        texts += picked(rng, self._elsewhere(policy), max(count - len(texts) - 1, 0))
        return texts + self._clean.drawn(rng, count - len(texts))

    def _retargeted(self, rng: Rng, texts: Sequence[TaughtText], most: int) -> list[TaughtText]:
        """Return a share of so many texts: breaching ones, aimed at whom no policy protects."""
        if not self._settings.retargeted or most <= 0:
            return []
        count = int(rng.binomial(most, self._settings.retargeted))
        return [self._aimed_elsewhere(rng, text) for text in picked(rng, texts, count)]

    def _aimed_elsewhere(self, rng: Rng, text: TaughtText) -> TaughtText:
        words = self._groups.aimed_elsewhere(rng, text.example.text)
        return replace(
            text, example=text.example.model_copy(update={"text": words, "violates": ()})
        )

    def _text(self, rng: Rng, taught: TaughtText) -> str:
        return self._renamed(rng, taught.example).text

    def _renamed(self, rng: Rng, example: JudgedExample) -> JudgedExample:
        text = self._groups.renamed(rng, example.text, self._settings.renamed)
        return example.model_copy(update={"text": text})

    def _shown(
        self, rng: Rng, neighbours: JudgedNeighbours | None, policy: Policy, text: str
    ) -> list[JudgedExample]:
        """Return the examples of a question, nearest first."""
        if neighbours is None:
            return []
        weights = np.array(self._settings.examples, dtype=float)
        a_side = int(rng.choice(len(weights), p=weights / weights.sum()))
        near = neighbours.nearest(text, policy.id, a_side)
        return [self._renamed(rng, example) for example in near]

    def _elsewhere(self, policy: Policy) -> list[TaughtText]:
        """Return the texts that breach policies of other tiers alone, none that is left out."""
        others = {p for p, tier in self._tiers.items() if tier != policy.tier}
        return [t for t in self._breaching.texts if others.issuperset(t.near)]

    def _worded(self, rng: Rng, policy: Policy) -> Policy:
        if not self._settings.definitions:
            return titled(policy)
        fewer = self._with_fewer_cases(rng, policy)
        other = self._wordings.reworded(rng, fewer, self._settings.reworded)
        return numbered(rng, other, self._settings.numbered)

    def _with_fewer_cases(self, rng: Rng, policy: Policy) -> Policy:
        if not self._settings.shuffle:
            return policy
        includes = _permuted(rng, policy.includes)
        excludes = _permuted(rng, policy.excludes)
        if rng.random() < self._settings.fewer_cases:
            includes = includes[: int(rng.integers(len(includes) + 1))]
        if rng.random() < self._settings.fewer_cases:
            excludes = excludes[: int(rng.integers(len(excludes) + 1))]
        return policy.model_copy(update={"includes": tuple(includes), "excludes": tuple(excludes)})

    def _lesson(self, prompt: Prompt, answer: str) -> Lesson:
        return lesson_of(prompt, answer, self._chat, max_tokens=_MAX_TOKENS)


class _Side:
    """The texts of one side, drawn by their weights; `near` has those collected for a policy."""

    def __init__(self, texts: Sequence[TaughtText]) -> None:
        self.texts = tuple(texts)
        weights = np.array([t.weight for t in texts])
        self._shares = weights / weights.sum() if texts else weights
        self.near: defaultdict[str, list[TaughtText]] = defaultdict(list)
        for text in texts:
            for policy in text.near:
                self.near[policy].append(text)

    def drawn(self, rng: Rng, count: int) -> list[TaughtText]:
        if not count:
            return []
        return [self.texts[i] for i in rng.choice(len(self.texts), count, p=self._shares)]


def _sides(texts: Sequence[TaughtText]) -> tuple[_Side, _Side]:
    """Return those that breach something, and the others."""
    return _Side([t for t in texts if t.breaches]), _Side([t for t in texts if not t.breaches])


def _kept(policy: str, texts: Sequence[TaughtText]) -> list[TaughtText]:
    """Return the texts that breach another policy and are known to keep this one."""
    return [t for t in texts if t.breaches and t.example.keeps(policy)]


def _permuted(rng: Rng, items: Sequence[T]) -> list[T]:
    return [items[i] for i in rng.permutation(len(items))]
