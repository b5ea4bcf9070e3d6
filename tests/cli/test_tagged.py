"""Tagged texts: which of a file's lines measure something."""

from pathlib import Path
from typing import Any

import pytest

from cli.asked_texts import AskedTexts, LeftOut
from cli.tagged import read_tagged
from tests.cli.conftest import CITIES, json_lines
from wraner.errors import InvalidInput
from wraner.packs import TaggedExample


def line(text: str, *entities: tuple[int, int, str]) -> dict[str, Any]:
    return {"text": text, "entities": [{"start": s, "end": e, "label": n} for s, e, n in entities]}


def read(folder: Path, *lines: dict[str, Any]) -> AskedTexts[TaggedExample]:
    return read_tagged(json_lines(folder / "tagged.jsonl", *lines), CITIES)


def test_examples_of_the_domain_and_words_that_come_again_are_left_out(tmp_path: Path) -> None:
    tagged = read(
        tmp_path,
        line("she moved to GHENT!", (13, 18, "city")),
        line("In Hull", (3, 7, "city")),
        line("nothing here"),
        line("In (Hull).", (4, 8, "city")),
        line("Nothing, here"),
    )
    assert list(tagged.examples) == [2, 3]
    assert [text.place.line for text in tagged.texts()] == [2, 3]
    shown = "in the words of an example of the domain, which would show the answer"
    assert tagged.left_out == (
        LeftOut((1,), shown),
        LeftOut((4, 5), "in the words of an earlier line, which counts"),
    )


def test_many_lines_are_named_in_part() -> None:
    assert str(LeftOut(tuple(range(1, 12)), "so")) == (
        "left out 11 texts (lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, …): each so"
    )


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            [line("In Hull", (3, 7, "city")), line("in HULL")],
            ":2: expected the same entities in the same words, was: 'Hull' tagged 'city' on line 1 "
            "and not on line 2; correct one",
        ),
        (
            [line("Ann met Ann", (0, 3, "person")), line("(Ann) met Ann", (10, 13, "person"))],
            "was: 'Ann' tagged 'person' on line 1 and not on line 2",
        ),
        (
            [line("So Hull"), line("So Hull", (3, 7, "city"))],
            "was: 'Hull' tagged 'city' on line 2 and not on line 1",
        ),
        (
            [line("To Hull.", (3, 7, "city")), line("To Hull.", (3, 8, "city"))],
            "was: 'Hull' tagged 'city' on line 1 and not on line 2",
        ),
        (
            [line("it rains"), line("It rains.", (0, 2, "city"))],  # an example's words, twice
            "was: 'It' tagged 'city' on line 2 and not on line 1",
        ),
        ([line("In Hull", (3, 7, "town"))], ":1: entities/0/label: label 'town' is not declared"),
        ([line("a"), line("Hull", (0, 3, "city"))], ":2: entities/0: an entity must begin and end"),
        ([line("Hull", (0, 4, "city"), (0, 4, "person"))], ":1: entities/1: entities may not"),
        ([line("It rains.")], "was: left out 1 text (line 1): each in the words of an example of"),
        (
            [],
            'such as {"text": "Ann left", "entities": [{"start": 0, "end": 3, "label": "city"}]},',
        ),
    ],
)
def test_what_contradicts_breaks_a_rule_or_measures_nothing_is_refused(
    tmp_path: Path, lines: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(tmp_path, *lines)
    assert words in str(refused.value)


def test_marks_beside_an_entity_are_no_contradiction(tmp_path: Path) -> None:
    tagged = read(tmp_path, line("To Hull", (3, 7, "city")), line("To 'Hull'!", (3, 9, "city")))
    assert list(tagged.examples) == [1]
