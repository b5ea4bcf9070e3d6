"""The outcome of a retraining, and its figures as the candidate's manifest holds them.

Knows no training and no shelf.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from training.bootstrap import Interval
from training.gate import Condition, Decision, Trial
from training.ner_scores import total


@dataclass(frozen=True)
class Verdict:
    """A candidate on the shelf, what it was compared with ("": no adapter), and how it ended.

    `command` is the command line that asked for it.
    """

    adapter: str
    parent: str
    decision: Decision
    here: Trial
    elsewhere: tuple[Trial, ...]
    promoted: bool
    command: str


def metrics_of(verdict: Verdict, *, tested: bool) -> dict[str, JsonValue]:
    """Return the figures of a verdict as a manifest holds them, with what measures them again.

    Without `tested`, those of the domain are of the folds' candidates.
    """
    how = "test sentences" if tested else "cross-validation: figures of the folds' candidates"
    return {
        "here": {"measured_on": how, **_figures(verdict.decision.here, [verdict.here])},
        "elsewhere": _figures(verdict.decision.elsewhere, verdict.elsewhere),
        "decision": verdict.decision.words,
        "command": verdict.command,
    }


def _figures(condition: Condition, trials: Sequence[Trial]) -> dict[str, JsonValue]:
    change = condition.change
    f1: dict[str, JsonValue] = {t.domain: total(t.candidate).f1 for t in trials}
    return {
        "f1": f1,
        "change": _interval(change) if change else None,
        "sentences": condition.sentences,
    }


def _interval(interval: Interval) -> dict[str, JsonValue]:
    return {"value": interval.value, "low": interval.low, "high": interval.high}
