"""Summaries made of outcomes: so many rows under a policy, decided so."""

from dataclasses import dataclass, replace
from itertools import chain, count, repeat
from pathlib import Path

from tests.training.moderation_examples import POLICIES, PROVENANCE, prediction, row, system
from training.moderation_evaluation import ModerationRun
from training.moderation_rows import AskedRows
from training.moderation_summary import Evaluated, ModerationSummary, summarise_moderation
from wraner.packs import PolicySet


@dataclass(frozen=True)
class Outcome:
    """So many rows of one policy, all with this score, by which they are flagged or not."""

    policy: str
    hateful: bool
    score: float
    times: int
    kind: int | None = None
    clean: bool = True
    named: str = ""
    """The policy that is judged first; "": the row's own."""


def summarised(
    *outcomes: Outcome,
    policy_set: PolicySet = POLICIES,
    calibrated: bool = True,
    uncalibrated: int = 0,
    whole: int | None = None,
) -> ModerationSummary:
    """Return the summary of a run that ended so; the first `uncalibrated` have no probability."""
    numbers, rows, said = count(1), [], []
    for one in chain.from_iterable(repeat(one, one.times) for one in outcomes):
        number = next(numbers)
        rows.append(row(number, one.policy, one.hateful, kind=one.kind, clean=one.clean))
        judged = prediction((number,), (one.named or one.policy, one.score), order=one.policy)
        said.append(replace(judged, calibrated=calibrated and number > uncalibrated))
    kinds = any(one.kind for one in rows)
    asked = AskedRows(Path("rows.csv"), tuple(rows), whole or len(rows), kinds)
    run = ModerationRun(tuple(said), "p" * 64, "i" * 64, 2.0)
    own = system(*(one.score for one in said))
    return summarise_moderation(Evaluated(asked, policy_set, run, (own,)), PROVENANCE)
