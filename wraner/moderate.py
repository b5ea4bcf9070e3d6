"""The moderation pipeline: shortlist policies, judge each alone, fuse with retrieval evidence.

Gets its retriever and engine injected, so serving, evaluation and tests run this same code.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wraner.engine import Engine, ScoreRequest
from wraner.entities import Span
from wraner.fusion import Fusion
from wraner.packs import Policy, PolicySet
from wraner.policies import Citation, Coverage, Decision, PolicyMatch, Verdict
from wraner.prompts import NO, YES, render_judgement
from wraner.retrieval import JudgedNeighbour, PackRef, PolicyEvidence, Retriever
from wraner.windows import Window, cut


@dataclass(frozen=True, slots=True)
class ModerateTask:
    """What to judge, and how.

    `policy_set` holds the definitions (its examples are not read here), `pack` says where its
    examples are searched. `policies` are judged without shortlist, () means shortlisted;
    `exhaustive` judges all. `threshold` None takes the moderator's; a policy's own goes first.
    """

    policy_set: PolicySet
    pack: PackRef
    texts: tuple[str, ...]
    policies: tuple[str, ...] = ()
    exhaustive: bool = False
    threshold: float | None = None
    adapter: str = ""
    deadline: float = float("inf")


@dataclass(frozen=True, slots=True)
class ModeratorSettings:
    """How verdicts are reached.

    `shortlist` policies a window are judged; `examples` stand in a prompt on each side, violating
    and complying. Scores from `threshold` on violate; those less than `review_band` below it are
    for a person to review. `window_words` and `overlap_words` cut long texts, see `windows.cut`.
    """

    fusion: Fusion
    shortlist: int = 5
    examples: int = 2
    threshold: float = 0.5
    review_band: float = 0.1
    window_words: int = 160
    overlap_words: int = 40


@dataclass(frozen=True, slots=True)
class _Judgement:
    """One policy judged on one window of one text."""

    text: int
    window: Window
    policy: Policy
    evidence: PolicyEvidence
    shown: tuple[JudgedNeighbour, ...]
    score: float


class Moderator:
    """Judges texts against written policies."""

    def __init__(
        self, *, retriever: Retriever, engine: Engine, settings: ModeratorSettings
    ) -> None:
        self._retriever = retriever
        self._engine = engine
        self._settings = settings

    async def moderate(self, task: ModerateTask) -> list[Verdict]:
        """Return one verdict a text, in their order. Raises as retriever and engine do."""
        cuts = [
            cut(t, words=self._settings.window_words, overlap=self._settings.overlap_words)
            for t in task.texts
        ]
        judged, index = await self._judge(task, cuts)
        return [
            self._verdict(
                task,
                Coverage(len(text), len(cuts[number]), False),
                index,
                [j for j in judged if j.text == number],
            )
            for number, text in enumerate(task.texts)
        ]

    async def _judge(
        self, task: ModerateTask, cuts: Sequence[Sequence[Window]]
    ) -> tuple[list[_Judgement], str]:
        places = [(number, w) for number, windows in enumerate(cuts) for w in windows]
        pieces = [task.texts[number][w.start : w.end] for number, w in places]
        found = await self._retriever.evidence(task.pack, pieces, self._settings.examples)
        policies = {p.id: p for p in task.policy_set.policies}
        asked: list[tuple[int, Window, PolicyEvidence, tuple[JudgedNeighbour, ...]]] = []
        requests: list[ScoreRequest] = []
        for (number, window), piece, evidence in zip(places, pieces, found, strict=True):
            for e in self._chosen(task, evidence.policies):
                shown = e.examples
                prompt = render_judgement(policies[e.policy], [n.example for n in shown], piece)
                asked.append((number, window, e, shown))
                requests.append(ScoreRequest(prompt, (YES, NO), task.adapter, task.deadline))
        scores = await self._engine.score(requests)
        judgements = [
            _Judgement(
                number,
                window,
                policies[e.policy],
                e,
                shown[: s.examples_used],
                self._settings.fusion.score(s.logprobs[0] - s.logprobs[1], e),
            )
            for (number, window, e, shown), s in zip(asked, scores, strict=True)
        ]
        return judgements, found[0].index if found else ""

    def _chosen(
        self, task: ModerateTask, ranked: Sequence[PolicyEvidence]
    ) -> Sequence[PolicyEvidence]:
        if task.policies:
            return [e for e in ranked if e.policy in task.policies]
        return ranked if task.exhaustive else ranked[: self._settings.shortlist]

    def _verdict(
        self, task: ModerateTask, coverage: Coverage, index: str, judged: Sequence[_Judgement]
    ) -> Verdict:
        best: dict[str, _Judgement] = {}
        for j in judged:
            if j.policy.id not in best or j.score > best[j.policy.id].score:
                best[j.policy.id] = j
        ranked = sorted(best.values(), key=lambda j: (-j.score, j.policy.id))
        lead = {j.policy.id: j.score - self._threshold(task, j.policy) for j in ranked}
        over = [j for j in ranked if lead[j.policy.id] >= 0]
        near = [j for j in ranked if lead[j.policy.id] >= -self._settings.review_band]
        decision: Decision = "violates" if over else "review" if near else "allowed"
        return Verdict(
            decision=decision,
            score=ranked[0].score if ranked else 0.0,
            calibrated=self._settings.fusion.calibrated,
            matches=tuple(_match(j) for j in over or near),
            coverage=coverage,
            policies_judged=tuple(p.id for p in task.policy_set.policies if p.id in best),
            policies_skipped=len(task.policy_set.policies) - len(best),
            index=index,
        )

    def _threshold(self, task: ModerateTask, policy: Policy) -> float:
        if policy.threshold is not None:
            return policy.threshold
        return self._settings.threshold if task.threshold is None else task.threshold


def _match(j: _Judgement) -> PolicyMatch:
    return PolicyMatch(
        policy=j.policy.id,
        title=j.policy.title,
        tier=j.policy.tier,
        score=j.score,
        neighbours=tuple(Citation(n.example.id, n.similarity) for n in j.shown),
        evidence=tuple(
            Span(s.start + j.window.start, s.end + j.window.start) for s in j.evidence.spans
        ),
    )
