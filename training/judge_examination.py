"""How well a judge answers the questions it is taught, asked without any retrieval.

Four kinds: about the whole set; about the policy that a text was collected for, which it breaches
or comes near to; which policy it is, its own or one of another tier; and a policy turned into its
opposite, in words that were never taught. Knows no training.
"""

from collections import defaultdict
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from training.judged_texts import TaughtText
from training.loop import logits_of
from training.packed import Lessons, Packer, lesson_of
from training.policy_wordings import opposite
from wraner.chat import ChatEncoder
from wraner.metrics import auroc
from wraner.packs import JudgedExample, Policy, PolicySet
from wraner.prompts import NO, YES, Prompt, render_judgement, render_overall

_MAX_TOKENS = 1536
_TOGETHER = 40

Ask = Callable[[Sequence[Prompt]], list[float]]
"""Prompts to log p(yes) - log p(no), in their order."""
Worded = Callable[[Policy], Policy]
Shown = Callable[[TaughtText, str], Sequence[JudgedExample]]
"""A text and a policy's id to the examples in the question, nearest first."""


def nothing(text: TaughtText, policy: str) -> Sequence[JudgedExample]:
    """Show no examples."""
    return ()


@dataclass(frozen=True, slots=True)
class Examined:
    """AUROC of each kind of question; nan where a side is missing.

    `near` is the mean over policies, each weighing by the geometric mean of its two sides' numbers.
    """

    overall: float
    near: float
    which: float
    opposite: float


def examine(
    ask: Ask,
    pack: PolicySet,
    texts: Sequence[TaughtText],
    worded: Worded = lambda policy: policy,
    shown: Shown = nothing,
) -> Examined:
    """Ask about texts; `worded` is how a policy's question puts it.

    `shown` are the examples in it, but for an opposite policy, of which there are none.
    """
    policies = {p.id: worded(p) for p in pack.policies}
    own = _own(texts, policies)
    whole = ask([render_overall(pack, text.example.text) for text in texts])
    near = ask([_question(policies[p], text, shown) for text, p in own])
    away = _elsewhere([text for text, _ in own if text.breaches], pack)
    right = [score for (text, _), score in zip(own, near, strict=True) if text.breaches]
    wrong = ask([_question(policies[p], text, shown) for text, p in away])
    turned = ask([_question(opposite(policies[p]), text) for text, p in own])
    truth = [text.breaches for text, _ in own]
    return Examined(
        overall=_area([t.breaches for t in texts], whole),
        near=_within([p for _, p in own], truth, near),
        which=_area([True] * len(right) + [False] * len(wrong), [*right, *wrong]),
        opposite=_within([p for _, p in own], [not breach for breach in truth], turned),
    )


def nearness(
    ask: Ask, policies: Sequence[Policy], texts: Sequence[TaughtText], shown: Shown = nothing
) -> float:
    """Return `Examined.near` alone: about each policy, asked as it stands, its own texts."""
    worded = {p.id: p for p in policies}
    own = _own(texts, worded)
    scores = ask([_question(worded[p], text, shown) for text, p in own])
    return _within([p for _, p in own], [text.breaches for text, _ in own], scores)


def asking(model: torch.nn.Module, packer: Packer, chat: ChatEncoder) -> Ask:
    """Return how a model in training is asked: questions with one instruction share its tokens.

    `packer` must be one that teaches no shown answers.
    """
    yes, no = chat.text_ids(YES)[0], chat.text_ids(NO)[0]
    tokens = len(chat.text_ids(YES)) + 1  # of an answer and the end of its turn

    @torch.no_grad()
    def ask(prompts: Sequence[Prompt]) -> list[float]:
        model.eval()
        scores = [0.0] * len(prompts)
        for places in _batches(prompts):
            lessons = tuple(
                lesson_of(prompts[i], YES, chat, max_tokens=_MAX_TOKENS) for i in places
            )
            logits: Any = logits_of(model, packer.pack([Lessons(lessons)])).float()
            first = logits[::tokens]
            for place, row in zip(places, first[:, yes] - first[:, no], strict=True):
                scores[place] = float(row)
        return scores

    return ask


def _batches(prompts: Sequence[Prompt]) -> Iterator[list[int]]:
    """Yield places of prompts that share an instruction, so many at most."""
    places: defaultdict[str, list[int]] = defaultdict(list)
    for place, prompt in enumerate(prompts):
        places[prompt.instruction].append(place)
    for found in places.values():
        yield from (found[i : i + _TOGETHER] for i in range(0, len(found), _TOGETHER))


def _own(texts: Sequence[TaughtText], policies: Container[str]) -> list[tuple[TaughtText, str]]:
    """Return each text with each of the policies that it was collected for."""
    return [(text, p) for text in texts for p in text.near if p in policies]


def _question(policy: Policy, text: TaughtText, shown: Shown = nothing) -> Prompt:
    return render_judgement(policy, shown(text, policy.id), text.example.text)


def _elsewhere(texts: Sequence[TaughtText], pack: PolicySet) -> list[tuple[TaughtText, str]]:
    """Return each with a policy of a tier that it does not come near, the same every time."""
    rng = np.random.default_rng(0)
    tiers = {p.id: p.tier for p in pack.policies}
    away = []
    for text in texts:
        near = {tiers.get(p) for p in text.near}
        others = [p.id for p in pack.policies if p.tier not in near]
        if others:
            away.append((text, others[int(rng.integers(len(others)))]))
    return away


def _within(policies: Sequence[str], truth: Sequence[bool], scores: Sequence[float]) -> float:
    rows: defaultdict[str, list[tuple[bool, float]]] = defaultdict(list)
    for policy, breach, score in zip(policies, truth, scores, strict=True):
        rows[policy].append((breach, score))
    areas, weights = [], []
    for found in rows.values():
        sides = sum(breach for breach, _ in found), sum(not breach for breach, _ in found)
        if all(sides):
            areas.append(_area([b for b, _ in found], [s for _, s in found]))
            weights.append(float(np.sqrt(sides[0] * sides[1])))
    return float(np.average(areas, weights=weights)) if areas else float("nan")


def _area(truth: Sequence[bool], scores: Sequence[float]) -> float:
    return auroc(truth, scores) if any(truth) and not all(truth) else float("nan")
