"""Tagged texts: a file in the form of a domain's examples, to measure the domain on.

A text in the words of one of them would measure nothing, for that would stand in the prompt with
the answer; it is left out, as is one in the words of an earlier line, which would count twice. A
text without entities counts: nothing is to be found in it. Knows no extraction.
"""

from pathlib import Path

from cli.asked_texts import REPEATED, AskedTexts, checked_lines
from wraner.entities import Mention
from wraner.errors import InvalidInput
from wraner.pack_folders import is_marked
from wraner.packs import Domain, TaggedExample
from wraner.precedents import words_of

_SHOWN = "in the words of an example of the domain, which would show the answer"

_SAMPLES = {
    False: '{"text": "Ann left", "entities": [{"start": 0, "end": 3, "label": "%s"}]}',
    True: "[Ann | %s] left",
}

_Line = tuple[int, TaggedExample]


def read_tagged(file: Path, domain: Domain) -> AskedTexts[TaggedExample]:
    """Read the texts that a domain may be measured on.

    Raises:
        InvalidInput: a line is no such example, has a label that the domain does not declare, or
            contradicts an earlier one in the same words, with its number; or nothing is left to
            ask about.
    """
    shown = {words_of(example.text) for example in domain.examples}
    first: dict[str, _Line] = {}
    asked: dict[int, TaggedExample] = {}
    left_out: dict[str, list[int]] = {_SHOWN: [], REPEATED: []}
    for line, example in checked_lines(file, domain):
        assert isinstance(example, TaggedExample)
        words = words_of(example.text)
        is_new = words not in first
        _check_agree(file, first.setdefault(words, (line, example)), (line, example))
        if words in shown:
            left_out[_SHOWN].append(line)
        elif is_new:
            asked[line] = example
        else:
            left_out[REPEATED].append(line)
    tagged = AskedTexts.of(asked, left_out)
    sample = _SAMPLES[is_marked(file)] % domain.labels[0]
    tagged.check_any(
        file, f"tagged texts that are no examples of the domain, one a line, such as {sample}"
    )
    return tagged


def _check_agree(file: Path, earlier: _Line, later: _Line) -> None:
    """Refuse an entity that one of two lines in the same words has and the other does not."""
    exactly = earlier[1].text == later[1].text
    before, after = (_placed(example, exactly=exactly) for _, example in (earlier, later))
    if place := min(before.keys() ^ after.keys(), default=None):
        having, other = (earlier, later) if place in before else (later, earlier)
        mention = before.get(place) or after[place]
        words = having[1].text[mention.start : mention.end]
        raise InvalidInput(
            f"{file}:{later[0]}: expected the same entities in the same words, was: {words!r} "
            f"tagged {mention.label!r} on line {having[0]} and not on line {other[0]}; correct one"
        )


def _placed(example: TaggedExample, *, exactly: bool) -> dict[tuple[int, int, str], Mention]:
    """Return entities by their places, counted in what `words_of` keeps unless `exactly`."""

    def place(at: int) -> int:
        # The letter keeps `words_of` from giving back marks that stand alone.
        return at if exactly else len(words_of(f"{example.text[:at]}x").replace(" ", ""))

    return {(place(m.start), place(m.end), m.label): m for m in example.entities}
