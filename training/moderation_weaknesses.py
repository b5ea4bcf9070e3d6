"""Weaknesses of what moderates: rules in words, and what each finds in the figures.

A rule that finds nothing says nothing. Policies are judged by all rows, and only where enough rows
speak of them. Knows no text and no layout.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from scipy.stats import binomtest

from training.bootstrap import Interval
from training.moderation_rows import TRAIN
from training.moderation_scores import PolicyFailures
from training.moderation_summary import ModerationSummary, SystemScores
from training.report_pages import share

LEAST_ROWS = 10
"""With fewer rows, nothing is said of a policy or of a kind of text."""
LEAST_CALIBRATED = 1000
"""With fewer rows, chance alone makes scores look miscalibrated."""
_NAMED = 3
_CALIBRATION_ERROR = 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule, and what it found in words; None where it found nothing."""

    rule: str
    words: str | None


@dataclass(frozen=True, slots=True)
class _Rate:
    """A share of so many rows, under a name."""

    name: str
    rows: int
    share: float

    def is_clearly_above(self, whole: Interval | None) -> bool:
        """Return whether enough rows say so: the lower end of the 95 % interval lies above too."""
        if whole is None or self.rows < LEAST_ROWS:
            return False
        wrong = round(self.share * self.rows)
        low: float = binomtest(wrong, self.rows).proportion_ci(method="wilson").low
        return low > whole.value

    def __str__(self) -> str:
        return f"{self.name} ({share(self.share)} of {self.rows})"


def find_weaknesses(summary: ModerationSummary) -> tuple[Finding, ...]:
    """Return what each rule finds in the figures of the pipeline that was asked."""
    return tuple(Finding(rule, find(summary)) for rule, find in _RULES)


def _lets_pass(summary: ModerationSummary) -> str | None:
    x = _own(summary)
    rates = [_Rate(f"`{p.policy}`", p.hateful_cases, p.hateful or 0.0) for p in x.policies]
    worst = _worst(rates, x.failures.hateful, most=_NAMED)
    return f"Hateful rows are let pass most under {_and(worst)}." if worst else None


def _flags(summary: ModerationSummary) -> str | None:
    x = _own(summary)
    rates = [_Rate(f"`{p.policy}`", p.other_cases, p.other or 0.0) for p in x.policies]
    worst = _worst(rates, x.failures.other, most=_NAMED)
    return f"Rows that are not hateful are flagged most under {_and(worst)}." if worst else None


def _flags_kind(summary: ModerationSummary) -> str | None:
    x = _own(summary)
    rates = [_Rate(kind.meaning, kind.cases, kind.failure or 0.0) for kind in x.kinds]
    worst = _worst(rates, x.failures.other, most=1)
    return f"Of what is not hateful, most is flagged of: {_and(worst)}." if worst else None


def _guesses_policies(summary: ModerationSummary) -> str | None:
    found = [
        f"`{p.policy}` ({share(p.hateful)} let pass, {share(p.other)} flagged)"
        for p in _own(summary).policies
        if _is_known(p) and (p.hateful or 0.0) + (p.other or 0.0) >= 1
    ]
    return f"It does no better than chance under {_and(found)}." if found else None


def _guesses(summary: ModerationSummary) -> str | None:
    auroc = _own(summary).auroc
    if auroc is None or auroc.low > 0.5:
        return None
    return (
        "Its scores are not shown to tell hateful rows from others: AUROC "
        f"{share(auroc)} ({share(auroc.low)} to {share(auroc.high)})."
    )


def _is_uncalibrated(summary: ModerationSummary) -> str | None:
    if summary.calibrated:
        return None
    return "Its scores are not calibrated: they put texts in an order and are no probabilities."


def _is_off(summary: ModerationSummary) -> str | None:
    x = _own(summary)
    error = x.calibration_error
    if not summary.calibrated or error is None or x.cases < LEAST_CALIBRATED:
        return None
    if error <= _CALIBRATION_ERROR:
        return None
    return f"Its scores, read as probabilities, are off by {share(error)} on average."


def _is_worse_on_clean(summary: ModerationSummary) -> str | None:
    whole, clean = summary.systems[0].all.failures, summary.systems[0].clean.failures
    pairs = (
        ("hateful let pass", whole.hateful, clean.hateful),
        ("others flagged", whole.other, clean.other),
        ("overall", whole.overall, clean.overall),
    )
    worse = [
        f"{name} {share(new)} instead of {share(old)}"
        for name, old, new in pairs
        if old is not None and new is not None and new.value > old.high
    ]
    return f"It fails more on clean texts than on all rows: {_and(worse)}." if worse else None


def _names_wrongly(summary: ModerationSummary) -> str | None:
    top1 = summary.matching.top1
    if top1 is None or summary.matching.texts < LEAST_ROWS or top1.value >= 0.5:
        return None
    return f"A right policy comes first in only {share(top1)} of the hateful texts."


def _knows_little(summary: ModerationSummary) -> str | None:
    policies = _own(summary).policies
    unknown = [f"`{p.policy}`" for p in policies if not _is_known(p)]
    if not unknown:
        return None
    if len(unknown) == len(policies):
        return f"Of none of the {len(policies)} policies enough is known to judge it alone."
    return (
        f"Of {len(unknown)} of {len(policies)} policies too little is known to judge them alone: "
        f"{_and(unknown)}."
    )


def _is_flattered(summary: ModerationSummary) -> str | None:
    asked = summary.asked
    if asked.is_training_file:
        return f"The figures flatter it: {TRAIN} is what is trained on."
    if 2 * asked.clean < asked.texts:
        return (
            f"The figures flatter it: {asked.clean} of {asked.texts} texts are not those of "
            f"{TRAIN}, which is trained on, and are labelled one way."
        )
    return None


_RULES: tuple[tuple[str, Callable[[ModerationSummary], str | None]], ...] = (
    (f"the {_NAMED} policies, or more that tie, that let pass clearly most", _lets_pass),
    (f"the {_NAMED} policies, or more that tie, under which clearly most is flagged", _flags),
    ("the kind of text that is not hateful of which clearly most is flagged", _flags_kind),
    (
        "policies whose shares let pass and flagged add up to 1 or more, as a coin's do, with at "
        f"least {LEAST_ROWS} rows of each",
        _guesses_policies,
    ),
    ("an AUROC over all rows whose 95 % interval reaches .5", _guesses),
    ("scores that were never fitted to be probabilities", _is_uncalibrated),
    (
        f"a calibration error above {share(_CALIBRATION_ERROR)} on at least {LEAST_CALIBRATED} "
        "rows, of calibrated scores",
        _is_off,
    ),
    (
        "failure rates on clean texts above the 95 % interval of those on all rows",
        _is_worse_on_clean,
    ),
    (
        f"a right policy first in less than half of at least {LEAST_ROWS} hateful texts",
        _names_wrongly,
    ),
    (f"policies with fewer than {LEAST_ROWS} hateful or {LEAST_ROWS} other rows", _knows_little),
    ("figures that were measured on texts of the training file", _is_flattered),
)


def _own(summary: ModerationSummary) -> SystemScores:
    return summary.systems[0].all


def _is_known(policy: PolicyFailures) -> bool:
    return min(policy.hateful_cases, policy.other_cases) >= LEAST_ROWS


def _worst(rates: Sequence[_Rate], whole: Interval | None, *, most: int) -> list[str]:
    """Return the highest shares above the whole's; those that tie with the last are not left out.

    Of equal shares, the one of more rows comes first.
    """
    above = sorted(
        (rate for rate in rates if rate.is_clearly_above(whole)), key=lambda r: (-r.share, -r.rows)
    )
    if not above:
        return []
    last = above[:most][-1].share
    return [str(rate) for rate in above if rate.share >= last]


def _and(words: Sequence[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
