"""What evidence covers, on made-up texts; and whether the marks that ship belong to theirs."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.evidence_positions import (
    CHOSEN_ON,
    LONGEST_WORDS,
    Marked,
    WithoutPulls,
    at_random,
    coverage,
    drawn,
    marked_texts,
    read_marks,
    table,
)
from index.encoder import WordVectors
from tests.conftest import DATA
from training.hatemoderate import CollectedText, dev_keys, read_collected
from wraner.chunks import chunk
from wraner.entities import Span
from wraner.errors import InvalidInput
from wraner.retrieval import Evidence, PolicyEvidence

TEXT = "Elves are awful, really awful folk."
MARKED = Marked("k", target=(Span(0, 5),), insult=(Span(10, 15), Span(24, 29)))
HATEMODERATE = DATA / "hatemoderate" / "hatemoderate_train.csv"


def test_one_character_is_enough_to_cover_a_side() -> None:
    found = coverage(TEXT, [Span(14, 16)], MARKED)
    assert (found.target, found.insult, found.either) == (0, 1, 1)
    assert found.marked == pytest.approx(2 / 35)
    assert found.right == pytest.approx(1 / 2)


def test_a_mark_of_everything_is_right_where_the_reader_marked() -> None:
    found = coverage(TEXT, [Span(0, 35)], MARKED)
    assert (found.target, found.insult, found.either, found.marked) == (1, 1, 1, 1)
    assert found.right == pytest.approx(15 / 35)


def test_no_evidence_covers_nothing() -> None:
    found = coverage(TEXT, [], MARKED)
    assert (found.target, found.insult, found.either, found.marked, found.right) == (0,) * 5


def test_random_words_are_as_many_as_the_evidence_has() -> None:
    found = at_random(TEXT, [Span(0, 9)], MARKED)
    assert found == at_random(TEXT, [Span(0, 9)], MARKED)
    # two of six words: Elves, are, awful, really, awful, folk
    assert found.target == pytest.approx(1 / 3, abs=0.1)
    assert found.insult == pytest.approx(1 - (4 / 6) * (3 / 5), abs=0.1)
    assert at_random(TEXT, [Span(0, 34)], MARKED).either == 1
    assert at_random(TEXT, [], MARKED).marked == 0


def test_texts_are_drawn_a_policy_in_turn_whatever_their_order() -> None:
    texts = [
        CollectedText(f"{policy} {number}", policy != "c", (policy,), "")
        for policy, count in (("a", 5), ("b", 1), ("c", 9))
        for number in range(count)
    ]
    long = CollectedText("d " * (LONGEST_WORDS + 1), True, ("d",), "")
    found = drawn([*texts, long], 4)
    assert [t.policies[0] for t in found] == ["a", "b", "a", "a"]
    assert drawn([long, *reversed(texts)], 4) == found


def test_marks_of_other_texts_are_refused() -> None:
    text = CollectedText(TEXT, True, ("y",), "")
    mine = Marked(text.key, MARKED.target, MARKED.insult)
    assert marked_texts([text], [mine]) == [(text, mine)]
    with pytest.raises(InvalidInput, match="expected the 1 texts that were marked, was: 2 keys"):
        marked_texts([text], [MARKED])


def test_the_table_has_each_policy_each_way_and_chance() -> None:
    def said(*spans: Span) -> Evidence:
        first, other = (PolicyEvidence(p, (), (), 0.0, s) for p, s in (("x", ()), ("y", spans)))
        return Evidence((first, other), "index")

    asked = CollectedText(TEXT, True, ("y",), "")
    lines = table({"one way": [said(Span(10, 15))]}, [(asked, MARKED)]).splitlines()
    assert lines[2] == "| suggested first | one way | 0.00 | 0.00 | 0.00 | 0.00 | 0.00 |"
    assert lines[4] == "| true | one way | 0.00 | 1.00 | 1.00 | 0.14 | 1.00 |"
    assert [line.split(" | ")[1] for line in lines[2:]] == ["one way", "as many at random"] * 2


def test_pulls_can_be_taken_away() -> None:
    class One:
        identity, dimension = "one", 2

        def encode(self, texts: list[str]) -> list[WordVectors]:
            rows = np.ones((1, 2), np.float32)
            return [WordVectors(chunk("a"), rows, rows[0], rows) for _ in texts]

    (found,) = WithoutPulls(One()).encode(["a"])
    assert found.pulls.shape[1] == 0
    assert found.text.shape == (2,)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"key": "k", "target": [[0, 1]]}, "expected key, target and insult"),
        ({"key": "k", "target": [[0, 1]], "insult": []}, "expected spans of both kinds in k"),
        ({"key": "k", "target": [[3, 3]], "insult": [[0, 1]]}, "expected spans of both kinds"),
    ],
)
def test_marks_that_are_none_are_named(tmp_path: Path, entry: object, said: str) -> None:
    file = tmp_path / "marks.json"
    file.write_text(json.dumps([entry]))
    with pytest.raises(InvalidInput, match=said):
        read_marks(file)


def test_every_mark_that_ships_is_of_a_text_kept_for_choosing() -> None:
    keys = [marked.key for marked in read_marks()]
    assert len(set(keys)) == len(keys) > CHOSEN_ON
    assert set(keys) <= dev_keys()


@pytest.mark.skipif(not HATEMODERATE.is_file(), reason="needs HateModerate in ../shared/data")
def test_the_marks_are_of_the_texts_that_are_drawn_and_of_whole_words() -> None:
    kept = dev_keys()
    texts = [t for t in read_collected(HATEMODERATE) if t.key in kept]
    for text, marked in marked_texts(texts, read_marks()):
        chunks = chunk(text.text)
        for span in (*marked.target, *marked.insult):
            assert span.start in {c.start for c in chunks}
            assert span.end in {c.end for c in chunks}
