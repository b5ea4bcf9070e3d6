"""The moderation pipeline: shortlist policies, judge each alone, fuse with retrieval evidence.

Where a fusion scores the whole text by it, the model is also asked once about the whole set.

Gets its retriever and engine injected, so serving, evaluation and tests run this same code.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from wraner.engine import Engine, ScoreRequest, Scores
from wraner.entities import Span
from wraner.fusion import SHORTLIST, UNTUNED, Fusion
from wraner.packs import Policy, PolicySet
from wraner.policies import Citation, Coverage, Decision, PolicyMatch, Verdict
from wraner.precedents import Precedents, precedents, words_of
from wraner.prompts import NO, YES, Prompt, render_judgement, render_overall
from wraner.retrieval import Evidence, JudgedNeighbour, PackRef, PolicyEvidence, Retriever
from wraner.wanted import while_wanted
from wraner.windows import Window, cut

_STEPS: tuple[tuple[Decision, bool], ...] = (("violates", False), ("review", True))


@dataclass(frozen=True, slots=True)
class ModerateTask:
    """What to judge, and how.

    `policy_set` holds the definitions (its examples are not read here), `pack` says where its
    examples are searched. `policies` are judged without shortlist, () means shortlisted;
    `exhaustive` judges all. A shortlist is drawn from the policies `among`, () means all; of each
    of the groups `beside` that it leaves out, the nearest policy is judged too. `threshold` None
    takes the moderator's; a policy's own goes first. `fusion` belongs to the adapter; None takes
    the moderator's.
    """

    policy_set: PolicySet
    pack: PackRef
    texts: tuple[str, ...]
    policies: tuple[str, ...] = ()
    exhaustive: bool = False
    among: tuple[str, ...] = ()
    beside: tuple[tuple[str, ...], ...] = ()
    threshold: float | None = None
    adapter: str = ""
    fusion: Fusion | None = None
    deadline: float = float("inf")


@dataclass(frozen=True, slots=True)
class ModeratorSettings:
    """How verdicts are reached.

    `shortlist` policies a window are judged, and as many of those that name what alone is allowed,
    to which nearness says the opposite; `examples` are found on each side, violating and complying,
    of which a question shows as many as the fusion says. Scores from `threshold` on violate; those
    less than `review_band` below it are for a person to review. `window_words` and `overlap_words`
    cut long texts, see `windows.cut`.
    """

    fusion: Fusion
    shortlist: int = SHORTLIST
    examples: int = 2
    threshold: float = 0.5
    review_band: float = 0.1
    window_words: int = 160
    overlap_words: int = 40


SERVED = ModeratorSettings(fusion=UNTUNED)
"""How every service judges where its adapter has no fusion of its own."""


@dataclass(frozen=True, slots=True)
class _Judgement:
    """One policy judged on one window; `cited` are the examples found, but for those that its
    question had no room for. `cleared` says that an example in these words keeps the policy.
    """

    window: Window
    policy: Policy
    evidence: PolicyEvidence
    cited: tuple[JudgedNeighbour, ...]
    score: float
    cleared: bool


@dataclass(frozen=True, slots=True)
class _Seen:
    """One window of one text with the policies that are judged on it.

    `found` leaves out allow-lists, to which nearness says nothing of a breach. `requests` are those
    of its `chosen` policies and, last where the set has its own question, that of the whole set.
    """

    text: int
    window: Window
    found: Evidence
    before: Precedents
    chosen: tuple[PolicyEvidence, ...]
    requests: tuple[ScoreRequest, ...]


@dataclass(frozen=True, slots=True)
class _Judged:
    """A window's judgements and its score, that it breaches any policy.

    `alone` is false where the score is the highest of several: of policies', where the whole set's
    titles do not fit the model, or of those of policies of several kinds.
    """

    text: int
    judgements: tuple[_Judgement, ...]
    score: float
    alone: bool


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
        cuts = await while_wanted(self._cut, task.texts)
        seen = await self._look(task, cuts)
        scores = iter(await self._engine.score([r for s in seen for r in s.requests]))
        judged = [self._judged(task, s, [next(scores) for _ in s.requests]) for s in seen]
        return [
            self._verdict(
                task,
                Coverage(len(text), len(cuts[number]), False),
                seen[0].found.index,
                [j for j in judged if j.text == number],
            )
            for number, text in enumerate(task.texts)
        ]

    def _cut(self, texts: Iterable[str]) -> list[tuple[Window, ...]]:
        words, overlap = self._settings.window_words, self._settings.overlap_words
        return [cut(text, words=words, overlap=overlap) for text in texts]

    async def _look(self, task: ModerateTask, cuts: Sequence[Sequence[Window]]) -> list[_Seen]:
        places = [(number, w) for number, windows in enumerate(cuts) for w in windows]
        pieces = [task.texts[number][w.start : w.end] for number, w in places]
        cut_up = [number for number, windows in enumerate(cuts) if len(windows) > 1]
        asked = [*pieces, *(task.texts[number] for number in cut_up)]
        found = await self._retriever.evidence(task.pack, asked, self._settings.examples)
        entire = {
            number: (evidence.policies, words_of(task.texts[number]))
            for number, evidence in zip(cut_up, found[len(pieces) :], strict=True)
        }
        policies = {p.id: p for p in task.policy_set.policies}
        lists = frozenset(p.id for p in task.policy_set.policies if p.is_allow_list)
        asks_overall = self._asks_overall(task)
        known = frozenset(filter(lambda i: self._fusion(task).knows(policies[i]), policies))
        seen = []
        for (number, window), piece, evidence in zip(places, pieces, found, strict=False):
            read = [(evidence.policies, words_of(piece))]
            if number in entire:
                read.append(entire[number])
            before = precedents(*read)
            chosen = tuple(self._chosen(task, evidence.policies, lists, before))
            if asks_overall and not any(e.policy in known for e in chosen):
                # The answer about the set is about these: others would be named in their place.
                chosen += tuple(e for e in evidence.policies if e.policy in known)[:1]
            prompts = [
                self._question(task, policies[e.policy], e, piece, evidence.examples)
                for e in chosen
            ]
            requests = [ScoreRequest(p, (YES, NO), task.adapter, task.deadline) for p in prompts]
            if asks_overall:
                whole = render_overall(task.policy_set, piece)
                requests.append(
                    ScoreRequest(whole, (YES, NO), task.adapter, task.deadline, dispensable=True)
                )
            rules = tuple(e for e in evidence.policies if e.policy not in lists)
            found_of = replace(evidence, policies=rules)
            seen.append(_Seen(number, window, found_of, before, chosen, tuple(requests)))
            await asyncio.sleep(0)  # a call of many windows lets others be answered meanwhile
        return seen

    def _question(
        self, task: ModerateTask, policy: Policy, found: PolicyEvidence, text: str, examples: int
    ) -> Prompt:
        shown = self._fusion(task).of_policy(policy, found, examples).shown(found)
        return render_judgement(policy, [n.example for n in shown], text)

    def _scores_text(self, task: ModerateTask) -> bool:
        """Return whether a text has a score of its own: some of a set's policies give none."""
        whole = not task.among or set(task.among) >= {p.id for p in task.policy_set.policies}
        return self._fusion(task).verdict is not None and not task.policies and whole

    def _has_own_score(self, task: ModerateTask, judged: Sequence[_Judged]) -> bool:
        """Return whether the score is that of one thing; the highest of several is none."""
        asked = task.policies or task.among or task.policy_set.policies
        one = self._scores_text(task) or len(asked) == 1
        return one and len(judged) < 2 and all(window.alone for window in judged)

    def _asks_overall(self, task: ModerateTask) -> bool:
        fusion = self._fusion(task)
        return self._scores_text(task) and fusion.asks_overall(task.policy_set.policies)

    def _fusion(self, task: ModerateTask) -> Fusion:
        return self._settings.fusion if task.fusion is None else task.fusion

    def _chosen(
        self,
        task: ModerateTask,
        ranked: Sequence[PolicyEvidence],
        lists: frozenset[str],
        before: Precedents,
    ) -> Sequence[PolicyEvidence]:
        """Return what is judged of the evidence; `lists` are the ids of allow-lists.

        What an example in the text's words is said to breach is judged in any case, and what one
        keeps after all else.
        """
        if task.policies:
            return [e for e in ranked if e.policy in task.policies]
        if task.exhaustive:
            return ranked
        eligible = [e for e in ranked if not task.among or e.policy in task.among]
        rules = [e for e in eligible if e.policy not in lists]
        near = sorted(rules, key=lambda e: e.policy in before.kept)
        allowing = [e for e in reversed(eligible) if e.policy in lists]
        far = sorted(allowing, key=_likeness_to_allowed)
        most = self._settings.shortlist
        chosen = near[:most] + far[:most]
        there = {e.policy for e in chosen}
        chosen += [e for e in eligible if e.policy in before.accused - there]
        for group in task.beside:
            if not any(e.policy in group for e in chosen):
                chosen += [e for e in near + far if e.policy in group][:1]
        return chosen

    def _judged(self, task: ModerateTask, seen: _Seen, scores: Sequence[Scores]) -> _Judged:
        policies = {p.id: p for p in task.policy_set.policies}
        logits = [s.logprobs[0] - s.logprobs[1] for s in scores if s.logprobs]
        judgements = tuple(
            self._judgement(task, seen, policies[e.policy], e, s.examples_used, logit)
            for e, s, logit in zip(seen.chosen, scores, logits, strict=False)
        )
        score, several = max((j.score for j in judgements), default=0.0), False
        settled = seen.before.keeps_all or any(
            j.policy.id in seen.before.breached for j in judgements
        )
        if self._scores_text(task) and not settled:
            overall = logits[len(seen.chosen)] if len(logits) > len(seen.chosen) else None
            judged = [(j.policy, j.evidence, j.score) for j in judgements]
            found = self._fusion(task).text_scores(overall, seen.found, judged)
            score, several = max(found, default=0.0), len(found) > 1
        alone = len(logits) == len(scores) and not several
        return _Judged(seen.text, judgements, score, alone)

    def _judgement(
        self,
        task: ModerateTask,
        seen: _Seen,
        policy: Policy,
        e: PolicyEvidence,
        examples_used: int,
        logit: float,
    ) -> _Judgement:
        fusion = self._fusion(task).of_policy(policy, e, seen.found.examples)
        left_out = fusion.shown(e)[examples_used:]
        cited = tuple(n for n in e.examples if n not in left_out)
        score = seen.before.score(policy.id)
        score = fusion.score(logit, e) if score is None else score
        return _Judgement(
            seen.window, policy, e, cited, score, cleared=policy.id in seen.before.kept
        )

    def _verdict(
        self, task: ModerateTask, coverage: Coverage, index: str, judged: Sequence[_Judged]
    ) -> Verdict:
        best = _best(j for window in judged for j in window.judgements)
        decision, matches = self._gravest(task, judged)
        return Verdict(
            decision=decision,
            score=max((window.score for window in judged), default=0.0),
            calibrated=self._fusion(task).calibrated and self._has_own_score(task, judged),
            matches=tuple(map(_match, matches)),
            coverage=coverage,
            judged=tuple(_match(best[p.id]) for p in task.policy_set.policies if p.id in best),
            policies_skipped=len(task.policy_set.policies) - len(best),
            index=index,
        )

    def _gravest(
        self, task: ModerateTask, judged: Sequence[_Judged]
    ) -> tuple[Decision, Sequence[_Judgement]]:
        """Return the gravest decision on any window and the policies that it rests on.

        Each window is decided by itself: whatever stands behind a breach, it stays one.
        """
        decided = [self._decided(task, window) for window in judged]
        for decision, _ in _STEPS:
            matches = [j for found, some in decided if found == decision for j in some]
            if matches:
                return decision, _strongest_first(_best(matches).values())
        return "allowed", ()

    def _decided(
        self, task: ModerateTask, window: _Judged
    ) -> tuple[Decision, Sequence[_Judgement]]:
        """Return the decision on one window and the policies that it rests on.

        The window's score decides where the likeliest policy has no threshold of its own; one that
        has decides for itself. What is breached is named even if no single policy is sure.
        """
        score, ranked = window.score, _strongest_first(window.judgements)
        common = self._settings.threshold if task.threshold is None else task.threshold
        lead = {j.policy.id: j.score - self._threshold(j.policy, common) for j in ranked}
        led = [j for j in ranked if j.policy.threshold is None and not j.cleared]
        own_score = self._scores_text(task) and led[:1] == ranked[:1]
        for decision, short in _STEPS:
            over = [j for j in ranked if self._reaches(lead[j.policy.id], short)]
            whole = [j for j in over if j.policy.threshold is None]
            if own_score:
                whole = (whole or led[:1]) if self._reaches(score - common, short) else []
            alone = [j for j in over if j.policy.threshold is not None]
            if whole or alone:
                return decision, [*whole, *alone]
        return "allowed", ()

    def _reaches(self, lead: float, short: bool) -> bool:
        """Return whether a score with this lead over its threshold decides; `short`: for review."""
        return lead > -self._settings.review_band if short else lead >= 0.0

    def _threshold(self, policy: Policy, common: float) -> float:
        return common if policy.threshold is None else policy.threshold


def _likeness_to_allowed(found: PolicyEvidence) -> float:
    """Return how near a text is to what a policy allows rather than to a known breach of it."""
    breach = max((n.similarity for n in found.violating), default=0.0)
    return found.definition + found.wording + found.case - breach


def _best(judgements: Iterable[_Judgement]) -> dict[str, _Judgement]:
    """Return the surest judgement of each policy, the earliest of equals."""
    best: dict[str, _Judgement] = {}
    for j in judgements:
        if j.policy.id not in best or j.score > best[j.policy.id].score:
            best[j.policy.id] = j
    return best


def _strongest_first(judgements: Iterable[_Judgement]) -> list[_Judgement]:
    """Return judgements by score; of equals those first whose policies have no threshold."""
    return sorted(judgements, key=lambda j: (-j.score, j.policy.threshold is not None, j.policy.id))


def _match(j: _Judgement) -> PolicyMatch:
    spans = () if j.policy.is_allow_list else j.evidence.spans  # no word says what is missing
    return PolicyMatch(
        policy=j.policy.id,
        title=j.policy.title,
        tier=j.policy.tier,
        score=j.score,
        neighbours=tuple(Citation(n.example.id, n.similarity) for n in j.cited),
        evidence=tuple(Span(s.start + j.window.start, s.end + j.window.start) for s in spans),
    )
