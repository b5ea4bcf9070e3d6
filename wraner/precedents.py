"""Precedents: a text in the very words of a pack's example is judged as the example says.

A person has decided it, and who corrects a verdict by an example wants it to stay corrected. Knows
no model and no score.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import regex

from wraner.packs import JudgedExample
from wraner.retrieval import JudgedNeighbour, PolicyEvidence

_MARKS = regex.compile(r"[\p{P}\p{Z}\s]+")


def words_of(text: str) -> str:
    """Return a text without letter case, spaces and punctuation, or where it is nothing else, with.

    Everything else stays, such as emoji and the vowel signs of many scripts: they change a meaning.
    """
    folded = unicodedata.normalize("NFC", text).casefold()
    return _MARKS.sub(" ", folded).strip() or " ".join(folded.split())


# The examples nearest to one text are near to many. Who reads a whole pack has no use for it.
_found_words_of = lru_cache(maxsize=1_000)(words_of)


@dataclass(frozen=True, slots=True)
class Precedents:
    """What examples in a text's words say of it, each a policy's id.

    `accused` are policies that some such example breaches, `breached` those of them, and `kept` the
    others, of which all say the same; `keeps_all` says that the whole set is kept.
    """

    accused: frozenset[str]
    breached: frozenset[str]
    kept: frozenset[str]
    keeps_all: bool

    def score(self, policy: str) -> float | None:
        """Return 1 for a breach, 0 for none; None where nothing is settled."""
        if policy in self.breached:
            return 1.0
        return 0.0 if policy in self.kept else None


def precedents(*asked: tuple[Sequence[PolicyEvidence], str]) -> Precedents:
    """Return what the nearest examples of all policies say of a text's words.

    `asked` holds what was found for a window, with its `words_of`, and where the text has others,
    what was found for the whole text, with those of that.
    """
    against, for_it, whole = set[str](), set[str](), False
    for found, words in asked:
        against.update(e.policy for e in found if _same(e.violating, words))
        keeping = {e.policy: _same(e.complying, words) for e in found}
        for_it.update(policy for policy, examples in keeping.items() if examples)
        whole = whole or any(e.complies == "all" for same in keeping.values() for e in same)
    policies = frozenset(e.policy for found, _ in asked for e in found)
    keeps_all = bool(for_it) and not against and (whole or for_it == policies)
    return Precedents(
        accused=frozenset(against),
        breached=frozenset(against - for_it),
        kept=policies if keeps_all else frozenset(for_it - against),
        keeps_all=keeps_all,
    )


def _same(near: Sequence[JudgedNeighbour], words: str) -> list[JudgedExample]:
    return [n.example for n in near if _found_words_of(n.example.text) == words]
