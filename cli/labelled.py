"""Labelled texts: a file in the form of a policy set's `examples.jsonl`, to measure the set on.

A text in the words of one of the set's examples is settled by it, so that it would measure nothing;
it is left out, as is a text that says neither what it breaches nor what it keeps. Knows no verdict.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cli.counts import counted
from cli.texts import Place, Text
from wraner.errors import InvalidInput
from wraner.pack_folders import iterate_examples
from wraner.packs import JudgedExample, Pack, PolicySet, check_examples, definitions_of
from wraner.precedents import words_of

_LINES_NAMED = 10


@dataclass(frozen=True, slots=True)
class Labelled:
    """Examples to ask about by their lines, and the lines of those left out."""

    examples: Mapping[int, JudgedExample]
    settled: tuple[int, ...]
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
        InvalidInput: a line is no such example or names a policy that the set does not have, with
            its number; or nothing is left to ask about.
    """
    known = {words_of(example.text) for example in policy_set.examples}
    definitions = definitions_of(policy_set)
    asked: dict[int, JudgedExample] = {}
    settled, unlabelled = [], []
    for line, example in iterate_examples(file, definitions):
        assert isinstance(example, JudgedExample)
        _check(file, line, definitions, example)
        if not example.violates and not example.complies:
            unlabelled.append(line)
        elif words_of(example.text) in known:
            settled.append(line)
        else:
            asked[line] = example
    labelled = Labelled(asked, tuple(settled), tuple(unlabelled))
    if not asked:
        said = "; ".join(labelled.left_out()) or "no line"
        raise InvalidInput(
            f'{file}: expected labelled texts, one a line, such as {{"text": "…", "violates": '
            f'["{policy_set.policies[0].id}"]}} or {{"text": "…", "complies": "all"}}, was: {said}'
        )
    return labelled


def _check(file: Path, line: int, definitions: Pack, example: JudgedExample) -> None:
    try:
        check_examples(definitions, [example])
    except InvalidInput as error:
        field = error.pointer.removeprefix("/examples/0/")
        raise InvalidInput(f"{file}:{line}: {field}: {error.message}") from None


def _named(lines: Sequence[int]) -> str:
    shown = ", ".join(map(str, lines[:_LINES_NAMED]))
    more = ", …" if len(lines) > _LINES_NAMED else ""
    return f"{'line' if len(lines) == 1 else 'lines'} {shown}{more}"
