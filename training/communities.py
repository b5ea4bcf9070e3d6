"""House rules of communities, to teach a judge to read policies of any kind.

Written for this project by several authors; each set's examples are texts that breach its rules,
and texts in the same words that keep them. Knows no model and no prompt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

from training.policy_wordings import turned
from training.regularisers import Rng
from wraner.adapters import TrainingData
from wraner.errors import InvalidInput
from wraner.pack_folders import read_pack_folder
from wraner.packs import Policy, PolicySet

_FOLDER = Path(__file__).with_name("communities")
_TERMS = "written for this project, Apache-2.0"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AskedRule:
    """A rule with texts and whether each breaches it."""

    policy: Policy
    texts: tuple[tuple[str, bool], ...]


class Communities:
    """Draws rules and texts; `texts` are all that there are.

    Raises:
        InvalidInput: a rule has no text that breaches it, or none that keeps it.
    """

    def __init__(self, packs: Sequence[PolicySet]) -> None:
        self._rules = [_sides(pack, policy) for pack in packs for policy in pack.policies]
        self.texts = tuple(example.text for pack in packs for example in pack.examples)

    @property
    def data(self) -> TrainingData:
        """What a manifest says of the texts."""
        return TrainingData(name="communities", terms=_TERMS, sentences=len(self.texts))

    def drawn(self, rng: Rng, count: int, *, turned_share: float) -> AskedRule:
        """Return a rule with `count` texts, half of which breach it.

        Of those that keep it about half breach another rule, as far as there are such. In
        `turned_share` of the draws the rule says the opposite, and so do the answers.
        """
        rule = self._rules[int(rng.integers(len(self._rules)))]
        other = turned(rng, rule.policy, turned_share)
        yes = picked(rng, rule.breaching, count // 2)
        left = count - len(yes)
        no = picked(rng, rule.elsewhere, left // 2 if rule.harmless else left)
        no += picked(rng, rule.harmless, left - len(no))
        same = other is rule.policy
        asked = [(text, same) for text in yes] + [(text, not same) for text in no]
        return AskedRule(other, tuple(asked))


@dataclass(frozen=True, slots=True)
class _Sides:
    """A rule with the texts that breach it, that breach others alone, and that breach nothing."""

    policy: Policy
    breaching: tuple[str, ...]
    elsewhere: tuple[str, ...]
    harmless: tuple[str, ...]


def _sides(pack: PolicySet, policy: Policy) -> _Sides:
    found = _Sides(
        policy,
        tuple(e.text for e in pack.examples if policy.id in e.violates),
        tuple(e.text for e in pack.examples if e.violates and policy.id not in e.violates),
        tuple(e.text for e in pack.examples if not e.violates),
    )
    if not found.breaching or not (found.elsewhere or found.harmless):
        raise InvalidInput(
            f"expected texts that breach {policy.id!r} and texts that keep it, was: "
            f"{len(found.breaching)} and {len(found.elsewhere) + len(found.harmless)}"
        )
    return found


def picked(rng: Rng, items: Sequence[T], count: int) -> list[T]:
    """Return so many items, some of them twice; none where there are none."""
    return [items[i] for i in rng.integers(len(items), size=count)] if items else []


@cache
def shipped_communities() -> Communities:
    """Return the communities that ship with the project."""
    packs = [read_pack_folder(folder) for folder in sorted(_FOLDER.iterdir())]
    return Communities([pack for pack in packs if isinstance(pack, PolicySet)])
