"""Policies in other words or fewer, so that a judge in training reads them instead of knowing them.

Draws nothing where nothing is to be changed. Knows no text and no prompt.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml
from pydantic import TypeAdapter

from training.regularisers import Rng
from wraner.packs import MAX_LABEL_CHARACTERS, Policy

_FILE = Path(__file__).with_name("policy_wordings.yaml")
_NUMBERS = 99
_OPPOSITE = ("Anything but: {}", "Anything but what follows. {}")  # asked, never taught
_TURNED = (
    ("Anything but: {}", "Anything except this. {}"),
    ("{}, and nothing else", "Everything other than what follows. {}"),
    ("Only: {}", "Only texts of this kind are allowed. {}"),
    ("Keep to this: {}", "We want this here and nothing else. {}"),
)


@dataclass(frozen=True, slots=True)
class PolicyWordings:
    """Other titles and definitions by the ids of the policies that they say the same as."""

    others: Mapping[str, tuple[str, str]]

    def reworded(self, rng: Rng, policy: Policy, share: float) -> Policy:
        """Return a policy, in `share` of the draws in its other words, if it has any."""
        if not share or rng.random() >= share or policy.id not in self.others:
            return policy
        title, definition = self.others[policy.id]
        return policy.model_copy(update={"title": title, "definition": definition})


def numbered(rng: Rng, policy: Policy, share: float) -> Policy:
    """Return a policy, in `share` of the draws called by a number that says nothing of it."""
    if not share or rng.random() >= share:
        return policy
    return policy.model_copy(update={"title": f"Rule {int(rng.integers(1, _NUMBERS + 1))}"})


def opposite(policy: Policy) -> Policy:
    """Return a policy that is breached by what the given one allows, and by nothing else."""
    return _turned(policy, *_OPPOSITE)


def turned(rng: Rng, policy: Policy, share: float) -> Policy:
    """Return a policy, in `share` of the draws turned into its opposite, in words that vary."""
    if not share or rng.random() >= share:
        return policy
    return _turned(policy, *_TURNED[int(rng.integers(len(_TURNED)))])


def _turned(policy: Policy, title: str, definition: str) -> Policy:
    return policy.model_copy(
        update={
            "title": title.format(policy.title)[:MAX_LABEL_CHARACTERS].rstrip(),
            "definition": definition.format(policy.definition),
            "includes": policy.excludes,
            "excludes": policy.includes,
        }
    )


def titled(policy: Policy) -> Policy:
    """Return a policy that shows its title alone."""
    return policy.model_copy(update={"definition": "", "includes": (), "excludes": ()})


@cache
def shipped_wordings() -> PolicyWordings:
    """Return the wordings that were written for this project."""
    content = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return PolicyWordings(TypeAdapter(dict[str, tuple[str, str]]).validate_python(content))
