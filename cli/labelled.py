"""Labelled texts: a file in the form of a policy set's `examples.jsonl`, to measure the set on.

A text that the set's examples in the same words settle would measure nothing; it is left out, as is
one in the words of an earlier line, which would count twice, and one that says neither what it
breaches nor what it keeps. Knows no verdict.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path

from cli.asked_texts import REPEATED, AskedTexts, checked_lines
from wraner.errors import InvalidInput
from wraner.packs import JudgedExample, PolicySet
from wraner.precedents import words_of

_SETTLED = "in the words of an example of the set, which settles it"
_UNLABELLED = "names neither what it breaches (violates) nor what it keeps"

_Line = tuple[int, JudgedExample]


def read_labelled(file: Path, policy_set: PolicySet) -> AskedTexts[JudgedExample]:
    """Read the texts that a policy set may be measured on.

    Raises:
        InvalidInput: a line is no such example, names a policy that the set does not have, or
            contradicts an earlier one in the same words, with its number; or nothing is left to
            ask about.
    """
    sorting = _Sorting(file, policy_set)
    for line, example in checked_lines(file, policy_set):
        assert isinstance(example, JudgedExample)
        sorting.take(line, example)
    labelled = sorting.sorted()
    labelled.check_any(
        file,
        'labelled texts, one a line, such as {"text": "…", "violates": '
        f'["{policy_set.policies[0].id}"]}} or {{"text": "…", "complies": "all"}}',
    )
    return labelled


@dataclass(slots=True)
class _SameWords:
    """What is known of some words: the set's examples, labels with a line, whether it is asked."""

    examples: list[JudgedExample] = field(default_factory=list)
    labels: dict[object, _Line] = field(default_factory=dict)
    is_asked: bool = False


class _Sorting:
    """Sorts lines into what is asked about and what is left out."""

    def __init__(self, file: Path, policy_set: PolicySet) -> None:
        self._file = file
        self._policies = tuple(policy.id for policy in policy_set.policies)
        self._same = defaultdict[str, _SameWords](_SameWords)
        for example in policy_set.examples:
            self._same[words_of(example.text)].examples.append(example)
        self._asked: dict[int, JudgedExample] = {}
        self._left_out: dict[str, list[int]] = {_SETTLED: [], REPEATED: [], _UNLABELLED: []}

    def take(self, line: int, example: JudgedExample) -> None:
        """Sort a line.

        Raises:
            InvalidInput: it contradicts an earlier one.
        """
        if not example.violates and not example.complies:
            self._left_out[_UNLABELLED].append(line)
            return
        same = self._same[words_of(example.text)]
        for earlier in same.labels.values():
            _check_agree(self._file, earlier, (line, example))
        same.labels.setdefault((example.violates, example.complies), (line, example))
        if self._is_settled(example, same.examples):
            self._left_out[_SETTLED].append(line)
        elif same.is_asked:
            self._left_out[REPEATED].append(line)
        else:
            same.is_asked = True
            self._asked[line] = example

    def sorted(self) -> AskedTexts[JudgedExample]:
        """Return the lines so far."""
        return AskedTexts.of(self._asked, self._left_out)

    def _is_settled(self, label: JudgedExample, examples: Sequence[JudgedExample]) -> bool:
        """Return whether examples in its words agree, and on every policy that the label names."""
        if not examples:
            return False
        violated = {policy for example in examples for policy in example.violates}
        kept = {p for p in self._policies if any(example.keeps(p) for example in examples)}
        named = {p for p in self._policies if p in label.violates or label.keeps(p)}
        return not violated & kept and named <= violated | kept


def _check_agree(file: Path, earlier: _Line, later: _Line) -> None:
    """Refuse a policy that one of two lines in the same words violates and the other keeps."""
    for (line, example), (other_line, other) in permutations((earlier, later)):
        for policy in filter(other.keeps, example.violates):
            raise InvalidInput(
                f"{file}:{later[0]}: expected one label for the same words, was: {policy!r} "
                f"violated on line {line} and complied with on line {other_line}; correct one"
            )
