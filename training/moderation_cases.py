"""Cases: what is counted, a system's decision beside the truth.

On all rows a case is a row. On clean rows it is a text, once, with every policy that it stands
under, as the first of its rows was decided. Knows no figure.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from training.moderation_results import Decided, System
from training.moderation_rows import ModerationRow


@dataclass(frozen=True, slots=True)
class Case:
    """One decision to count, with the policies and the kinds under which it counts.

    `key` names the text, which stays together when texts are resampled.
    """

    key: str
    policies: tuple[str, ...]
    kinds: tuple[int, ...]
    hateful: bool
    score: float
    flagged: bool
    review: bool

    @property
    def wrong(self) -> bool:
        """Whether the system failed: it let a hateful text pass, or flagged another."""
        return self.flagged != self.hateful


def all_cases(rows: Sequence[ModerationRow], system: System) -> list[Case]:
    """Return a case a row that the system answered."""
    decided = {one.row: one for one in system.decided}
    return [_case([row], decided[row.number]) for row in rows if row.number in decided]


def clean_cases(rows: Sequence[ModerationRow], system: System) -> list[Case]:
    """Return a case a clean text that the system answered."""
    decided = {one.row: one for one in system.decided}
    texts: defaultdict[str, list[ModerationRow]] = defaultdict(list)
    for row in rows:
        if row.clean and row.number in decided:
            texts[row.key].append(row)
    return [_case(same, decided[same[0].number]) for same in texts.values()]


def _case(rows: Sequence[ModerationRow], decided: Decided) -> Case:
    return Case(
        key=rows[0].key,
        policies=tuple(dict.fromkeys(row.policy for row in rows)),
        kinds=tuple(sorted({row.kind for row in rows if row.kind is not None})),
        hateful=rows[0].hateful,
        score=decided.score,
        flagged=decided.flagged,
        review=decided.review,
    )
