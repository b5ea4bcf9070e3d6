"""Evaluation of moderation: each different text once, asked of the pipeline that serves.

Moderator and retriever come injected, so what is measured is what answers requests. Several calls
are in flight, so that the engine's rows are full. Knows no score, no report and no command line.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from training.calls import all_of, once_there_is_room, parts
from training.moderation_results import Decided, PolicyScore, Prediction, System
from training.moderation_rows import AskedRows, ModerationRow, same_text
from wraner.errors import InvalidInput
from wraner.fusion import Fusion
from wraner.moderate import ModerateTask, Moderator, ModeratorSettings
from wraner.packs import JudgedExample, PolicySet, version
from wraner.policies import Verdict
from wraner.retrieval import Evidence, PackRef, Retriever

Heard = Callable[[Prediction], None]
_NEAREST = 1
_KEPT = 10


@dataclass(frozen=True, slots=True)
class ModerationAsking:
    """How texts are asked about.

    `exhaustive` judges every policy instead of a shortlist. `adapter` is a content hash, "" means
    the base model alone; `fusion` makes its answers scores, None: the moderator's own. `calls` are
    in flight, of `texts_a_call` each.
    """

    exhaustive: bool = False
    adapter: str = ""
    fusion: Fusion | None = None
    calls: int = 4
    texts_a_call: int = 4


@dataclass(frozen=True)
class ModerationRun:
    """What was answered about all texts, by which pack and index; `seconds` is wall time."""

    predictions: tuple[Prediction, ...]
    pack: str
    index: str
    seconds: float


@dataclass(frozen=True)
class Pipeline:
    """What answers: the moderator, and the retriever that it asks."""

    moderator: Moderator
    retriever: Retriever


async def evaluate_moderation(
    pipeline: Pipeline,
    policy_set: PolicySet,
    *,
    asked: AskedRows,
    asking: ModerationAsking,
    heard: Heard = lambda _: None,
) -> ModerationRun:
    """Moderate every different text; `heard` is told of each as it is answered.

    An overloaded engine is asked again; any other error ends the evaluation and all open calls.

    Raises:
        InvalidInput: there is no text, or the policy set does not fit the rows, see `check_fits`.
        NotFound, Unavailable: as `Moderator.moderate`.
    """
    check_fits(policy_set, asked.rows)
    began = time.monotonic()
    calls = _Calls(pipeline, policy_set, rows=asked.rows, asking=asking, heard=heard)
    # The first call indexes the examples, which the others would all do again.
    first, *others = parts(asked.texts, asking.texts_a_call)
    predictions = [*await calls.ask(first), *await all_of([calls.ask(p) for p in others])]
    return ModerationRun(
        tuple(predictions), calls.pack.version, calls.index, time.monotonic() - began
    )


def check_fits(policy_set: PolicySet, rows: Sequence[ModerationRow]) -> None:
    """Refuse what cannot be evaluated.

    Raises:
        InvalidInput: there is no row, a row's policy is not in the set, or one in the set has a
            threshold of its own: a text's decision then hangs on more than its score.
    """
    if not rows:
        raise InvalidInput("expected rows to ask about, was: none")
    unknown = sorted({row.policy for row in rows} - {p.id for p in policy_set.policies})
    if unknown:
        raise InvalidInput(
            f"expected a policy set with the rows' policies, was: one without {', '.join(unknown)};"
            " name another with --policy-set"
        )
    own = [p.id for p in policy_set.policies if p.threshold is not None]
    if own:
        raise InvalidInput(
            f"expected policies that share one threshold, was: {', '.join(own)} with their own; "
            "evaluate a copy of the policy set without them"
        )


def without_asked(examples: Sequence[JudgedExample], asked: AskedRows) -> tuple[JudgedExample, ...]:
    """Return the examples whose text is not asked about."""
    keys = {row.key for row in asked.rows}
    return tuple(e for e in examples if same_text(e.text) not in keys)


def decided_by(name: str, predictions: Sequence[Prediction], settings: ModeratorSettings) -> System:
    """Return the pipeline's predictions as a system, a decision a row."""
    decided = (
        Decided(row, p.score, p.decision == "violates", p.decision == "review")
        for p in predictions
        for row in p.rows
    )
    return System(
        name,
        f"score from {settings.threshold:.2f} on; less than {settings.review_band:.2f} below, for "
        "review, flags nothing",
        settings.threshold,
        tuple(sorted(decided, key=lambda one: one.row)),
    )


class _Calls:
    """Calls about one file's texts, so many in flight."""

    def __init__(
        self,
        pipeline: Pipeline,
        policy_set: PolicySet,
        *,
        rows: Sequence[ModerationRow],
        asking: ModerationAsking,
        heard: Heard,
    ) -> None:
        self.pack = PackRef(version(policy_set), inline=policy_set)
        self.index = ""
        self._pipeline = pipeline
        self._policy_set = policy_set
        self._asking = asking
        self._heard = heard
        self._room = asyncio.Semaphore(asking.calls)
        self._rows: defaultdict[str, list[int]] = defaultdict(list)
        for row in rows:
            self._rows[row.text].append(row.number)

    async def ask(self, texts: Sequence[str]) -> list[Prediction]:
        """Return the texts' predictions, once a call is free."""
        task = ModerateTask(
            self._policy_set,
            self.pack,
            tuple(texts),
            exhaustive=self._asking.exhaustive,
            adapter=self._asking.adapter,
            fusion=self._asking.fusion,
        )
        async with self._room:
            verdicts = await once_there_is_room(lambda: self._pipeline.moderator.moderate(task))
            ranked = await self._pipeline.retriever.evidence(self.pack, task.texts, _NEAREST)
        self.index = verdicts[0].index
        predictions = [
            self._prediction(text, verdict, evidence)
            for text, verdict, evidence in zip(texts, verdicts, ranked, strict=True)
        ]
        for one in predictions:
            self._heard(one)
        return predictions

    def _prediction(self, text: str, verdict: Verdict, evidence: Evidence) -> Prediction:
        ranked = sorted(verdict.judged, key=lambda m: (-m.score, m.policy))
        return Prediction(
            rows=tuple(self._rows[text]),
            score=verdict.score,
            decision=verdict.decision,
            calibrated=verdict.calibrated,
            judged=tuple(PolicyScore(m.policy, m.score) for m in ranked),
            order=tuple(e.policy for e in evidence.policies[:_KEPT]),
        )
