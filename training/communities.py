"""House rules of communities, to teach a judge to read policies of any kind.

Written for this project by several authors; each set's examples are texts that breach its rules,
and texts in the same words that keep them. Everyday messages by another author keep all rules that
do not say otherwise. Knows no model and no prompt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter

from training.policy_wordings import turned
from training.regularisers import Rng
from wraner.adapters import TrainingData
from wraner.errors import InvalidInput
from wraner.pack_folders import read_pack_folder
from wraner.packs import Policy, PolicySet

_FOLDER = Path(__file__).with_name("communities")
_STRANGERS = Path(__file__).with_name("strangers.yaml")
_EVERYDAY = Path(__file__).with_name("everyday.txt")
_TERMS = "written for this project, Apache-2.0"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class AskedRule:
    """A rule of a community with texts and whether each breaches it.

    `strangers` is whether a text that attacks a group of people breaches it; None: it depends.
    `turned` is whether it says the opposite of what the community's examples are judged by.
    """

    community: str
    policy: Policy
    texts: tuple[tuple[str, bool], ...]
    strangers: bool | None = None
    turned: bool = False


class Strangers(BaseModel):
    """Ids of a community's rules that a text which attacks a group of people keeps, or breaches.

    `everyday` are those that an everyday message might breach; it keeps all others.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    keeps: tuple[str, ...] = ()
    breaches: tuple[str, ...] = ()
    everyday: tuple[str, ...] = ()

    def breach(self, rule: str) -> bool | None:
        """Return whether such a text breaches a rule; None: it depends."""
        if rule in self.breaches:
            return True
        return False if rule in self.keeps else None


class Communities:
    """Draws rules and texts; `texts` are all that there are, `strangers` go by the packs' names.

    `everyday` are messages that have nothing to do with any rule.

    Raises:
        InvalidInput: a rule has no text that breaches it, or none that keeps it; or strangers keep
            or breach a rule that there is not, or both.
    """

    def __init__(
        self,
        packs: Mapping[str, PolicySet],
        strangers: Mapping[str, Strangers] | None = None,
        everyday: Sequence[str] = (),
    ) -> None:
        by_name = strangers or {}
        _check_known(packs, by_name)
        self._rules = [
            _sides(name, pack, policy, by_name.get(name, Strangers()))
            for name, pack in packs.items()
            for policy in pack.policies
        ]
        self.packs = packs
        self._everyday = tuple(everyday)
        examples = (example.text for pack in packs.values() for example in pack.examples)
        self.texts = (*examples, *everyday)

    @property
    def data(self) -> TrainingData:
        """What a manifest says of the texts."""
        return TrainingData(name="communities", terms=_TERMS, sentences=len(self.texts))

    def drawn(
        self, rng: Rng, count: int, *, turned_share: float, everyday_share: float = 0.0
    ) -> AskedRule:
        """Return a rule with `count` texts, half of which breach it.

        Of those that keep it `everyday_share` are everyday messages, unless such might breach it,
        and about half of the others breach another rule, as far as there are such. In
        `turned_share` of the draws the rule says the opposite, and so do the answers.
        """
        rule = self._rules[int(rng.integers(len(self._rules)))]
        other = turned(rng, rule.policy, turned_share)
        yes = picked(rng, rule.breaching, count // 2)
        keeping = count - len(yes)
        no = []
        if rule.everyday_keeps and everyday_share:
            no = picked(rng, self._everyday, int(rng.binomial(keeping, everyday_share)))
        left = keeping - len(no)
        no += picked(rng, rule.elsewhere, left // 2 if rule.harmless else left)
        no += picked(rng, rule.harmless, keeping - len(no))
        same = other is rule.policy
        asked = [(text, same) for text in yes] + [(text, not same) for text in no]
        strangers = None if rule.strangers is None else rule.strangers is same
        return AskedRule(rule.community, other, tuple(asked), strangers, turned=not same)


@dataclass(frozen=True, slots=True)
class _Sides:
    """A rule with the texts that breach it, that breach others alone, and that breach nothing."""

    community: str
    policy: Policy
    breaching: tuple[str, ...]
    elsewhere: tuple[str, ...]
    harmless: tuple[str, ...]
    strangers: bool | None
    everyday_keeps: bool


def _check_known(packs: Mapping[str, PolicySet], strangers: Mapping[str, Strangers]) -> None:
    rules = [(name, p.id) for name, pack in packs.items() for p in pack.policies]
    named = [(name, rule) for name, of in strangers.items() for rule in (*of.keeps, *of.breaches)]
    everyday = [(name, rule) for name, of in strangers.items() for rule in of.everyday]
    twice = {rule for rule in named if named.count(rule) > 1}
    wrong = sorted({*named, *everyday}.difference(rules) | twice)
    if wrong:
        raise InvalidInput(
            "expected rules that strangers either keep or breach, each of a community that there "
            f"is, was: {', '.join('/'.join(rule) for rule in wrong)}"
        )


def _sides(name: str, pack: PolicySet, policy: Policy, strangers: Strangers) -> _Sides:
    kept = [e for e in pack.examples if e.keeps(policy.id)]
    found = _Sides(
        name,
        policy,
        tuple(e.text for e in pack.examples if policy.id in e.violates),
        tuple(e.text for e in kept if e.violates),
        tuple(e.text for e in kept if not e.violates),
        strangers.breach(policy.id),
        policy.id not in strangers.everyday,
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
    packs = {folder.name: read_pack_folder(folder) for folder in sorted(_FOLDER.iterdir())}
    content = yaml.safe_load(_STRANGERS.read_text(encoding="utf-8"))
    strangers = TypeAdapter(dict[str, Strangers]).validate_python(content)
    policy_sets = {name: pack for name, pack in packs.items() if isinstance(pack, PolicySet)}
    everyday = _EVERYDAY.read_text(encoding="utf-8").splitlines()
    return Communities(policy_sets, strangers, everyday)
