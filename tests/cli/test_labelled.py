"""Labelled texts: which of a file's lines measure something."""

from pathlib import Path
from typing import Any

import pytest

from cli.asked_texts import AskedTexts, LeftOut
from cli.labelled import read_labelled
from tests.cli.conftest import json_lines
from wraner.errors import InvalidInput
from wraner.packs import JudgedExample, PolicySet

OTHER: dict[str, Any] = {"text": "something else", "violates": ["ads"]}


def read(folder: Path, *lines: dict[str, Any], examples: Any = ()) -> AskedTexts[JudgedExample]:
    policies = [{"id": p, "title": p, "definition": p} for p in ("ads", "spam")]
    policy_set = PolicySet.model_validate({"policies": policies, "examples": examples})
    return read_labelled(json_lines(folder / "labelled.jsonl", *lines), policy_set)


def test_the_same_words_count_once(tmp_path: Path) -> None:
    labelled = read(
        tmp_path,
        {"text": "Buy now!", "violates": ["ads"]},
        OTHER,
        {"text": "buy  NOW", "violates": ["ads"]},
        {"text": "buy now", "complies": ["spam"]},
    )
    assert list(labelled.examples) == [1, 2]
    assert list(map(str, labelled.left_out)) == [
        "left out 2 texts (lines 3, 4): each in the words of an earlier line, which counts"
    ]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (
            [{"violates": ["ads"]}, {"complies": "all"}],
            ":2: expected one label for the same words, was: 'ads' violated on line 1 and complied "
            "with on line 2",
        ),
        (
            [{"complies": ["ads"]}, {"violates": ["spam"]}, {"violates": ["ads"]}],
            ":3: expected one label for the same words, was: 'ads' violated on line 3 and complied "
            "with on line 1",
        ),
    ],
)
def test_the_same_words_are_not_labelled_in_two_ways(
    tmp_path: Path, labels: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        read(tmp_path, *({"text": "Buy" + "!" * n, **label} for n, label in enumerate(labels)))
    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("examples", "label", "settled"),
    [
        ([{"violates": ["ads"]}], {"violates": ["ads"]}, True),
        ([{"violates": ["ads"]}], {"complies": ["ads"]}, True),
        ([{"complies": "all"}], {"complies": "all"}, True),
        ([{"complies": ["ads", "spam"]}], {"complies": "all"}, True),
        ([{"violates": ["ads"]}, {"complies": ["spam"]}], {"violates": ["ads", "spam"]}, True),
        ([{}], {"violates": ["ads"]}, False),
        ([{"complies": ["spam"]}], {"violates": ["ads"]}, False),
        ([{"complies": ["spam"]}], {"complies": "all"}, False),
        ([{"violates": ["ads"]}, {"complies": "all"}], {"violates": ["ads"]}, False),
    ],
)
def test_a_text_is_settled_by_examples_that_agree_on_all_that_it_names(
    tmp_path: Path, examples: list[dict[str, Any]], label: dict[str, Any], settled: bool
) -> None:
    kept = [{"id": str(n), "text": "Buy now!", **said} for n, said in enumerate(examples)]
    labelled = read(tmp_path, OTHER, {"text": "buy now", **label}, examples=kept)
    why = "in the words of an example of the set, which settles it"
    assert labelled.left_out == ((LeftOut((2,), why),) if settled else ())
    assert list(labelled.examples) == ([1] if settled else [1, 2])
