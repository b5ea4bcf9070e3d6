"""Precedents: a text in the very words of a pack's example is judged as the example says.

A person has decided it, and who corrects a verdict by an example wants it to stay corrected. Knows
no model and no score.
"""

import re
from functools import lru_cache

from wraner.packs import JudgedExample
from wraner.retrieval import PolicyEvidence

_WORD = re.compile(r"\w+")


@lru_cache(maxsize=10_000)
def words_of(text: str) -> str:
    """Return a text's words, letter case and marks aside; of one without words all but spaces."""
    folded = text.casefold()
    return " ".join(_WORD.findall(folded)) or " ".join(folded.split())


def precedent(found: PolicyEvidence, text: str) -> JudgedExample | None:
    """Return an example in the words of `text` that says whether the policy is breached.

    None where there is none among the nearest, or where two disagree.
    """
    words = words_of(text)
    same = [n.example for n in found.examples if words_of(n.example.text) == words]
    sides = {found.policy in example.violates for example in same}
    return same[0] if len(sides) == 1 else None


def breaches(found: PolicyEvidence, text: str) -> bool:
    """Return whether an example says that these very words breach the policy."""
    one = precedent(found, text)
    return one is not None and found.policy in one.violates
