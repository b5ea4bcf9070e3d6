"""Labelled texts: a file in the form of a policy set's `examples.jsonl`, to measure the set on.

A text that the set's examples in the same words settle would measure nothing; it is left out, as is
one in the words of an earlier line, which would count twice, and one that says neither what it
breaches nor what it keeps. Knows no verdict.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path

from cli.counts import counted
from cli.texts import Place, Text
from wraner.errors import InvalidInput
from wraner.pack_folders import iterate_examples, on_line
from wraner.packs import JudgedExample, Pack, PolicySet, check_examples, definitions_of
from wraner.precedents import words_of

_LINES_NAMED = 10

_Line = tuple[int, JudgedExample]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Examples to ask about by their lines, and the lines of those left out.

    `policies` are all ids of the set.
    """

    policies: tuple[str, ...]
    examples: Mapping[int, JudgedExample]
    settled: tuple[int, ...]
    repeated: tuple[int, ...]
    unlabelled: tuple[int, ...]

    def texts(self) -> list[Text]:
        """Return the texts with their places."""
        return [
            Text(Place(number, line), example.text)
            for number, (line, example) in enumerate(self.examples.items(), start=1)
        ]

    def left_out(self) -> list[str]:
        """Return in words what was left out, and why."""
        reasons = (
            (self.settled, "in the words of an example of the set, which settles it"),
            (self.repeated, "in the words of an earlier line, which counts"),
            (self.unlabelled, "names neither what it breaches (violates) nor what it keeps"),
        )
        return [
            f"left out {counted(len(lines), 'text')} ({_named(lines)}): each {why}"
            for lines, why in reasons
            if lines
        ]


def read_labelled(file: Path, policy_set: PolicySet) -> Labelled:
    """Read the texts that a policy set may be measured on.

    Raises:
        InvalidInput: a line is no such example, names a policy that the set does not have, or
            contradicts an earlier one in the same words, with its number; or nothing is left to
            ask about.
    """
    definitions, sorting = definitions_of(policy_set), _Sorting(file, policy_set)
    for line, example in iterate_examples(file, definitions):
        assert isinstance(example, JudgedExample)
        _check(file, line, definitions, example)
        sorting.take(line, example)
    labelled = sorting.sorted()
    if not labelled.examples:
        said = "; ".join(labelled.left_out()) or "no line"
        raise InvalidInput(
            f'{file}: expected labelled texts, one a line, such as {{"text": "…", "violates": '
            f'["{policy_set.policies[0].id}"]}} or {{"text": "…", "complies": "all"}}, was: {said}'
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
        self._settled, self._repeated, self._unlabelled = list[int](), list[int](), list[int]()

    def take(self, line: int, example: JudgedExample) -> None:
        """Sort a line.

        Raises:
            InvalidInput: it contradicts an earlier one.
        """
        if not example.violates and not example.complies:
            self._unlabelled.append(line)
            return
        same = self._same[words_of(example.text)]
        for earlier in same.labels.values():
            _check_agree(self._file, earlier, (line, example))
        same.labels.setdefault((example.violates, example.complies), (line, example))
        if self._is_settled(example, same.examples):
            self._settled.append(line)
        elif same.is_asked:
            self._repeated.append(line)
        else:
            same.is_asked = True
            self._asked[line] = example

    def sorted(self) -> Labelled:
        """Return the lines so far."""
        return Labelled(
            self._policies,
            self._asked,
            tuple(self._settled),
            tuple(self._repeated),
            tuple(self._unlabelled),
        )

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


def _check(file: Path, line: int, definitions: Pack, example: JudgedExample) -> None:
    try:
        check_examples(definitions, [example])
    except InvalidInput as error:
        raise on_line(file, line, error) from None


def _named(lines: Sequence[int]) -> str:
    shown = ", ".join(map(str, lines[:_LINES_NAMED]))
    more = ", …" if len(lines) > _LINES_NAMED else ""
    return f"{'line' if len(lines) == 1 else 'lines'} {shown}{more}"
