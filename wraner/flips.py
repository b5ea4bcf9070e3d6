"""Flips: two verdicts on one text, compared; and how many texts flip which way.

A text flips where its decision changes. Other scores or other policies behind the same decision
are no flip, but are counted. Knows no policy set and no server.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from pydantic import BaseModel, ConfigDict, computed_field

from wraner.client.replies import PolicyMatch, Verdict
from wraner.policies import Decision

Judged = Literal["both", "old", "new"]


@dataclass(frozen=True, slots=True)
class Shift:
    """A policy that at least one of two verdicts rests on; None: this one does not.

    `judged` says which of the two judged the policy at all: what is not in the set, or not on the
    shortlist, is not judged.
    """

    old: PolicyMatch | None
    new: PolicyMatch | None
    judged: Judged

    @property
    def match(self) -> PolicyMatch:
        """The policy as the new verdict names it, else as the old one did."""
        found = self.new or self.old
        assert found is not None
        return found


class Comparison(BaseModel):
    """The verdicts of two policy sets on one text."""

    model_config = ConfigDict(frozen=True)

    old: Verdict
    new: Verdict

    @computed_field  # type: ignore[prop-decorator]
    @property
    def came(self) -> tuple[str, ...]:
        """Policies that the new verdict alone rests on."""
        return tuple(s.match.policy for s in self.shifts() if s.old is None)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def went(self) -> tuple[str, ...]:
        """Policies that the old verdict alone rested on."""
        return tuple(s.match.policy for s in self.shifts() if s.new is None)

    @property
    def flipped(self) -> bool:
        """Whether the decision changed."""
        return self.old.decision != self.new.decision

    def shifts(self) -> Iterator[Shift]:
        """Yield the policies that either rests on, the new verdict's first, by score."""
        before = {match.policy: match for match in self.old.matches}
        after = {match.policy: match for match in self.new.matches}
        for policy in {**after, **before}:
            yield Shift(before.get(policy), after.get(policy), self._judged(policy))

    def _judged(self, policy: str) -> Judged:
        if policy not in self.new.coverage.policies_judged:
            return "old"
        return "both" if policy in self.old.coverage.policies_judged else "new"


@dataclass
class FlipCount:
    """Counts comparisons; `to` counts flips by the new decision.

    `moved` counts the texts that are decided as before, but for other policies; `refused` those
    that have no verdicts.
    """

    texts: int = 0
    refused: int = 0
    to: dict[Decision, int] = field(
        default_factory=lambda: {"violates": 0, "review": 0, "allowed": 0}
    )
    moved: int = 0

    def add(self, one: Comparison) -> None:
        """Count a comparison."""
        self.texts += 1
        if one.flipped:
            self.to[one.new.decision] += 1
        else:
            self.moved += bool(one.came or one.went)

    @property
    def flipped(self) -> int:
        """How many texts are decided otherwise."""
        return sum(self.to.values())

    @property
    def unchanged(self) -> int:
        """How many texts are decided as before."""
        return self.texts - self.flipped
