"""Groups of people named anew, so that a judge reads what is said, and about whom.

Where most texts on a group breach something, a model learns its name. So a text that is taught may
name each group by another of its kind, or by one that does not exist, which leaves true whether it
breaches (counterfactual augmentation, after Garg et al. 2019). Aimed at whom no policy protects
instead, a text that breaches does so no longer. Knows no policy and no model.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import yaml

Rng = np.random.Generator

_FILE = Path(__file__).with_name("groups.yaml")
_UNPROTECTED, _TELLING = "unprotected", "telling"
_INVENTABLE = frozenset({"origin", "religion"})
_INVENTED = 0.3
_ONSETS = (*"bdfghklmnprstvwyz", "br", "dr", "gl", "kr", "qu", "sk", "th", "tr", "vl")
_VOWELS, _CODAS = tuple("aeiou"), (*"lmnrsvx", "rv", "st", "nd")
_ARTICLE = re.compile(r"\b(an?) $", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Group:
    """What a group is called: `forms` are an adjective, one person and people."""

    kind: str
    forms: tuple[str, str, str]

    @property
    def plain(self) -> bool:
        """Whether one word is both adjective and person, as *Muslim* is and *Jewish* is not."""
        return self.forms[0] == self.forms[1]


@dataclass(frozen=True, slots=True)
class Named:
    """A group and the form by which a word names it."""

    group: Group
    form: int


class Groups:
    """Groups by kind, found in texts and named anew; `others` are never looked for.

    Words that begin with one of `telling` tell of a group without naming it by any of its forms.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        others: Sequence[Group] = (),
        telling: Sequence[str] = (),
    ) -> None:
        self._others = tuple(others)
        beginnings = "|".join(map(re.escape, telling)) or r"\Z\B"
        self._telling = re.compile(rf"\b(?:{beginnings})", re.IGNORECASE)
        self._kinds: dict[str, list[Group]] = {}
        self._words: dict[str, Named] = {}
        for group in groups:
            self._kinds.setdefault(group.kind, []).append(group)
            for form, word in enumerate(group.forms):
                self._words.setdefault(word, Named(group, form))
        longest = sorted(self._words, key=len, reverse=True)
        named = "|".join(re.escape(word) for word in longest)
        self._pattern = re.compile(rf"\b(?:{named})\b", re.IGNORECASE)

    def renamed(self, rng: Rng, text: str, probability: float) -> str:
        """Return a text in which every group, with this probability, is another of its kind.

        The same group stays the same throughout the text, letter case and articles are kept right.
        """
        if rng.random() >= probability:
            return text
        others: dict[Group, Group] = {}
        for named in self._named(text):
            if named.group not in others:
                others[named.group] = self._other(rng, named)
        return self._with(text, others)

    def names_one(self, text: str) -> bool:
        """Return whether a text names one group, once or more often, and tells of no second."""
        groups = {named.group for named in self._named(text)}
        return len(groups) == 1 and not self._telling.search(self._pattern.sub("", text))

    def aimed_elsewhere(self, rng: Rng, text: str) -> str:
        """Return a text in which one of the others stands for every group."""
        other = self._others[int(rng.integers(len(self._others)))]
        return self._with(text, {named.group: other for named in self._named(text)})

    def _named(self, text: str) -> list[Named]:
        return [self._words[match[0].lower()] for match in self._pattern.finditer(text)]

    def _with(self, text: str, others: Mapping[Group, Group]) -> str:
        parts, end = [], 0
        for match in self._pattern.finditer(text):
            named = self._words[match[0].lower()]
            word = others[named.group].forms[named.form]
            parts += [_agreeing(text[end : match.start()], word), _cased(word, match[0])]
            end = match.end()
        return "".join([*parts, text[end:]])

    def _other(self, rng: Rng, named: Named) -> Group:
        """Return another group of the kind; one word that is two forms stays such a word."""
        plain = named.group.plain and not named.form
        if named.group.kind in _INVENTABLE and rng.random() < _INVENTED:
            return _invented(rng, named.group.kind, plain=plain)
        kind = self._kinds[named.group.kind]
        others = [g for g in kind if g is not named.group and (g.plain or not plain)]
        return others[int(rng.integers(len(others)))]


@lru_cache(maxsize=1)
def shipped_groups() -> Groups:
    """Return the groups that the project names; the others are those that are not protected."""
    read: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    telling: list[str] = read.pop(_TELLING)
    groups = [Group(kind, (a, b, c)) for kind, rows in read.items() for a, b, c in rows]
    return Groups(
        [g for g in groups if g.kind != _UNPROTECTED],
        [g for g in groups if g.kind == _UNPROTECTED],
        telling,
    )


def _invented(rng: Rng, kind: str, *, plain: bool) -> Group:
    """Return a group that does not exist, with a name of two syllables and an ending."""
    stem = "".join(str(rng.choice(part)) for part in (_ONSETS, _VOWELS, _CODAS, _VOWELS))
    if not plain and rng.random() < _INVENTED:
        return Group(kind, (f"{stem}sh", f"{stem}sh person", f"{stem}sh people"))
    return Group(kind, (f"{stem}n", f"{stem}n", f"{stem}ns"))


def _cased(word: str, like: str) -> str:
    if like.isupper() and len(like) > 1:
        return word.upper()
    return word[0].upper() + word[1:] if like[0].isupper() else word


def _agreeing(before: str, word: str) -> str:
    """Return what stands before a word with its article, if it ends with one, set right."""
    article = _ARTICLE.search(before)
    if not article:
        return before
    right = "an" if word[0] in "aeiou" and not word.startswith("eu") else "a"
    return before[: article.start(1)] + _cased(right, article[1]) + " "
