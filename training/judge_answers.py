"""What a judge answers about texts, asked as in serving, beside what the index finds of them.

Knows no fit and no training.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from training.judged_texts import TaughtText
from wraner import packs
from wraner.engine import Engine, ScoreRequest
from wraner.fusion import SHORTLIST
from wraner.packs import PolicySet
from wraner.prompts import NO, YES, Prompt, render_judgement, render_overall
from wraner.retrieval import Evidence, PackRef, PolicyEvidence, Retriever

_AT_ONCE = 10  # texts: more would wait longer than the engine's queue is
_EXHAUSTIVE = 5  # every so many texts one is asked about all policies


@dataclass(frozen=True, slots=True)
class Judge:
    """Who is asked, and how: so many policies a text, `shown` examples a side in a question.

    Every `exhaustive`-th text is asked about all policies. `answers` are log p(yes) - log p(no) of
    all questions so far, none of which is asked again.
    """

    retriever: Retriever
    engine: Engine
    adapter: str
    shortlist: int = SHORTLIST
    shown: int = 0
    exhaustive: int = _EXHAUSTIVE
    answers: dict[Prompt, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """One text with what was found and answered.

    `judged` are its policies with their logits, the index's first one first: `SHORTLIST`, or all.
    """

    text: TaughtText
    evidence: Evidence
    judged: tuple[tuple[PolicyEvidence, float], ...]
    overall: float

    def among(self, number: int) -> "Asked":
        """Return it as if so many policies had been judged."""
        return replace(self, judged=self.judged[:number])


async def ask(judge: Judge, pack: PolicySet, texts: Sequence[TaughtText]) -> list[Asked]:
    """Ask about texts as `Moderator` does, and retrieve as often."""
    asked: list[Asked] = []
    for first in range(0, len(texts), _AT_ONCE):
        asked += await _ask(judge, pack, texts[first : first + _AT_ONCE], first)
    return asked


async def by_words_alone(judge: Judge, pack: PolicySet, asked: Sequence[Asked]) -> list[Asked]:
    """Return the answers about the same policies as if there were no examples."""
    bare = pack.model_copy(update={"examples": ()})
    found = await judge.retriever.evidence(
        PackRef(packs.version(bare), inline=bare), [a.text.example.text for a in asked], 0
    )
    policies = {p.id: p for p in pack.policies}
    again = []
    for a, evidence in zip(asked, found, strict=True):
        judged = {e.policy for e, _ in a.judged}
        ranked = [e for e in evidence.policies if e.policy in judged]
        text = a.text.example.text
        prompts = [render_judgement(policies[e.policy], [], text) for e in ranked]
        logits = await _answers(judge, prompts)
        pairs = tuple(zip(ranked, logits, strict=True))
        again.append(replace(a, evidence=evidence, judged=pairs))
    return again


async def _ask(
    judge: Judge, pack: PolicySet, texts: Sequence[TaughtText], first: int
) -> list[Asked]:
    words = [t.example.text for t in texts]
    found = await judge.retriever.evidence(
        PackRef(packs.version(pack), inline=pack), words, max(2, judge.shown)
    )
    policies = {p.id: p for p in pack.policies}
    chosen = [
        e.policies[: None if number % judge.exhaustive == 0 else judge.shortlist]
        for number, e in enumerate(found, first)
    ]
    prompts: list[Prompt] = []
    for text, ranked in zip(words, chosen, strict=True):
        for e in ranked:
            examples = [n.example for n in e.nearest(judge.shown)]
            prompts.append(render_judgement(policies[e.policy], examples, text))
        prompts.append(render_overall(pack, text))
    answers = iter(await _answers(judge, prompts))
    asked = []
    for taught, evidence, ranked in zip(texts, found, chosen, strict=True):
        pairs = tuple((e, next(answers)) for e in ranked)
        asked.append(Asked(taught, evidence, pairs, next(answers)))
    return asked


async def _answers(judge: Judge, prompts: Sequence[Prompt]) -> list[float]:
    new = [p for p in dict.fromkeys(prompts) if p not in judge.answers]
    scores = await judge.engine.score([ScoreRequest(p, (YES, NO), judge.adapter) for p in new])
    judge.answers.update(
        (p, s.logprobs[0] - s.logprobs[1]) for p, s in zip(new, scores, strict=True)
    )
    return [judge.answers[p] for p in prompts]
