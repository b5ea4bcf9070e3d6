"""Summary of an evaluation of moderation: every figure of its report, each computed once.

Knows no layout.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from training.bootstrap import Interval
from training.calibration_scores import (
    Bin,
    Covered,
    calibration_error,
    score_bins,
    score_coverage,
)
from training.moderation_cases import Case, all_cases, clean_cases
from training.moderation_evaluation import ModerationRun
from training.moderation_intervals import auroc_interval
from training.moderation_results import System
from training.moderation_rows import TRAIN, AskedRows, ModerationRow
from training.moderation_scores import (
    Failures,
    KindFailures,
    Oracle,
    PolicyFailures,
    Review,
    TierFailures,
    count_review,
    find_oracle,
    score_failures,
    score_kinds,
    score_policies,
    score_tiers,
)
from training.ner_summary import Provenance
from training.policy_matching import Matching, score_matching
from wraner.packs import PolicySet


@dataclass(frozen=True, slots=True)
class SystemScores:
    """One system's figures on one selection of cases; `unanswered` cases are in none of them."""

    cases: int
    hateful: int
    unanswered: int
    failures: Failures
    auroc: Interval | None
    oracle: Oracle | None
    review: Review
    policies: tuple[PolicyFailures, ...]
    tiers: tuple[TierFailures, ...]
    kinds: tuple[KindFailures, ...]
    calibration_error: float | None
    bins: tuple[Bin, ...]
    coverage: tuple[Covered, ...]


@dataclass(frozen=True, slots=True)
class SystemSummary:
    """One system's figures on all rows, on clean texts, and on those of them that stand apart."""

    name: str
    means: str
    threshold: float
    all: SystemScores
    clean: SystemScores
    apart: SystemScores


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked about: the file, how many rows of how many, and how many texts they are.

    `clean` texts do not stand in the training file, and `apart` of these share no eight words in a
    row with it. `no_kind` counts the rows that are not hateful and whose kind is not known, None
    where no kind is.
    """

    file: str
    rows: int
    whole: int
    texts: int
    clean: int
    apart: int
    no_kind: int | None

    @property
    def is_training_file(self) -> bool:
        """Whether it is asked about what is trained on."""
        return self.file == TRAIN


@dataclass(frozen=True, slots=True)
class ModerationSummary:
    """All figures; the first system is the pipeline that was asked.

    `uncalibrated` counts the texts whose score is no probability, as the highest of several is.
    """

    asked: Asked
    systems: tuple[SystemSummary, ...]
    matching: Matching
    clean_matching: Matching
    uncalibrated: int
    pack: str
    index: str
    seconds: float
    provenance: Provenance

    @property
    def calibrated(self) -> bool:
        """Whether any score was fitted to be a probability."""
        return self.uncalibrated < self.asked.texts

    @property
    def is_sample(self) -> bool:
        """Whether not all rows of the file were asked about."""
        return self.asked.rows < self.asked.whole


@dataclass(frozen=True)
class Evaluated:
    """What a summary is made of; the first of `systems` is the pipeline that answered `run`."""

    asked: AskedRows
    policy_set: PolicySet
    run: ModerationRun
    systems: tuple[System, ...]


def summarise_moderation(evaluated: Evaluated, provenance: Provenance) -> ModerationSummary:
    """Compute every figure."""
    rows, predictions = evaluated.asked.rows, evaluated.run.predictions
    threshold = evaluated.systems[0].threshold
    return ModerationSummary(
        asked=_asked(evaluated.asked),
        systems=tuple(_system(system, evaluated) for system in evaluated.systems),
        matching=score_matching(rows, predictions, threshold=threshold, clean=False),
        clean_matching=score_matching(rows, predictions, threshold=threshold, clean=True),
        uncalibrated=sum(not p.calibrated for p in predictions),
        pack=evaluated.run.pack,
        index=evaluated.run.index,
        seconds=evaluated.run.seconds,
        provenance=provenance,
    )


def _asked(asked: AskedRows) -> Asked:
    kinds = [row.kind for row in asked.rows if not row.hateful]
    return Asked(
        file=asked.file.name,
        rows=len(asked.rows),
        whole=asked.whole,
        texts=len(asked.texts),
        clean=_texts([row for row in asked.rows if row.clean]),
        apart=_texts([row for row in asked.rows if row.apart]),
        no_kind=kinds.count(None) if asked.kinds else None,
    )


def _system(system: System, evaluated: Evaluated) -> SystemSummary:
    rows = evaluated.asked.rows
    tiers = {p.id: p.tier for p in evaluated.policy_set.policies}
    there, clean = all_cases(rows, system), [row for row in rows if row.clean]
    apart = [row for row in rows if row.apart]
    return SystemSummary(
        system.name,
        system.means,
        system.threshold,
        _scores(there, tiers, threshold=system.threshold, whole=len(rows)),
        *(
            _scores(
                clean_cases(some, system), tiers, threshold=system.threshold, whole=_texts(some)
            )
            for some in (clean, apart)
        ),
    )


def _texts(rows: Sequence[ModerationRow]) -> int:
    return len({row.key for row in rows})


def _scores(
    cases: Sequence[Case], tiers: Mapping[str, int | None], *, threshold: float, whole: int
) -> SystemScores:
    policies, bins = score_policies(cases, tiers), score_bins(cases)
    return SystemScores(
        cases=len(cases),
        hateful=sum(c.hateful for c in cases),
        unanswered=whole - len(cases),
        failures=score_failures(cases),
        auroc=_auroc(cases),
        oracle=find_oracle(cases),
        review=count_review(cases),
        policies=policies,
        tiers=score_tiers(policies),
        kinds=score_kinds(cases),
        calibration_error=calibration_error(bins),
        bins=bins,
        coverage=score_coverage(cases, threshold),
    )


def _auroc(cases: Sequence[Case]) -> Interval | None:
    return auroc_interval(
        [c.key for c in cases],
        positive=[c.hateful for c in cases],
        scores=[c.score for c in cases],
    )
