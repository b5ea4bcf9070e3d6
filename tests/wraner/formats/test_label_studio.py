import io
import json
from typing import Any

import pytest

from wraner.entities import Mention
from wraner.errors import InvalidInput
from wraner.formats.choice import Format, read, write
from wraner.packs import TaggedExample


def result(start: int, end: int, text: str | None, *labels: str, **more: Any) -> dict[str, Any]:
    value: dict[str, Any] = {"start": start, "end": end, "labels": list(labels)}
    value |= {} if text is None else {"text": text}
    item = {"id": "r1", "from_name": "label", "to_name": "text", "type": "labels", "value": value}
    return item | more


def task(text: str, *results: dict[str, Any], **data: Any) -> dict[str, Any]:
    return {"id": 7, "data": {"text": text} | data, "annotations": [{"result": list(results)}]}


def examples_of(*tasks: dict[str, Any]) -> list[TaggedExample]:
    content = json.dumps(tasks).encode()
    return list(read(io.BytesIO(content), Format.LABEL_STUDIO, name="some.json"))


def spans_of(*tasks: dict[str, Any]) -> list[tuple[int, int]]:
    return [(m.start, m.end) for e in examples_of(*tasks) for m in e.entities]


def test_a_task_is_an_example() -> None:
    some = task("Ann ate.", result(0, 3, "Ann", "person"))
    assert examples_of(some, task("None here.")) == [
        TaggedExample(text="Ann ate.", entities=(Mention(0, 3, "person"),)),
        TaggedExample(text="None here."),
    ]


def test_positions_are_told_by_the_words_at_them() -> None:
    text = "💩This is an annotation."
    # Both as reported at https://github.com/HumanSignal/label-studio/issues/1347.
    assert spans_of(task(text, result(12, 22, "annotation", "x"))) == [(12, 22)]
    assert spans_of(task(text, result(13, 23, "annotation", "x"))) == [(12, 22)]


def test_all_spans_of_a_task_have_one_unit() -> None:
    text = "💩This is an annotation."
    mixed = task(text, result(12, 22, "annotation", "x"), result(2, 6, "This", "x"))
    with pytest.raises(InvalidInput, match=r"'This' at 2\.\.6 .*'his ' by code points, 'This' by"):
        examples_of(mixed)


def test_positions_that_could_be_both_are_refused_unless_declared() -> None:
    text = "😀😀 a a"
    spans = (result(5, 6, "a", "x"),)
    with pytest.raises(InvalidInput, match=r"some\.json:1: record 1: .*which fits both"):
        examples_of(task(text, *spans))
    with pytest.raises(InvalidInput, match="fits both"):
        examples_of(task("😀 abc", result(2, 3, None, "x")))
    assert spans_of(task(text, *spans, offset_unit="codepoint")) == [(5, 6)]
    assert spans_of(task(text, result(3, 4, "a", "x"), result(5, 6, "a", "x"))) == [(3, 4), (5, 6)]
    assert spans_of(task("abc", result(1, 2, None, "x"))) == [(1, 2)]


def test_white_space_in_the_words_is_written_otherwise_by_label_studio() -> None:
    assert spans_of(task("a\nb  c", result(0, 6, "a\\nb c", "x"))) == [(0, 6)]


def test_the_one_annotation_that_counts_is_gold() -> None:
    some = task("a b")
    first, second = {"result": [result(0, 1, "a", "x")]}, {"result": [result(2, 3, "b", "x")]}
    some["annotations"] = [first, second]
    with pytest.raises(InvalidInput, match=r"expected one annotation .*was: 2"):
        examples_of(some)
    some["annotations"] = [first, second | {"ground_truth": True}]
    assert spans_of(some) == [(2, 3)]
    some["annotations"] = [first, second | {"was_cancelled": True}]
    assert spans_of(some) == [(0, 1)]
    some["completions"] = some.pop("annotations")
    assert spans_of(some) == [(0, 1)]


@pytest.mark.parametrize(
    ("some", "message"),
    [
        ({"data": {"text": "a"}, "predictions": [{"result": []}]}, "predictions are not gold"),
        ({"data": {"body": "a"}, "annotations": []}, "was: data/text: Field required"),
        (task("a b", result(0, 1, "b", "x")), "expected 'b' at 0..1 .*was: 'a' by code points"),
        (task("a", result(0, 9, "a", "x")), "'outside the text' by UTF-16"),
        (task("a", result(0, 1, "a", "x", "y")), r"one label at 0\.\.1, was: \['x', 'y'\]"),
        (task("a", result(0, 1, "a")), r"one label at 0\.\.1, was: \[\]"),
        (task("a", {"type": "relation", "from_id": "r1"}), "was: relation; remove"),
        (task("a", {"type": "labels"}), "value"),
        (
            task("a b", result(0, 1, "a", "x"), result(2, 3, "b", "x", to_name="title")),
            "of one text, was: of text, title",
        ),
        (
            task("a b", result(0, 3, "a b", "x"), result(2, 3, "b", "y")),
            r"0\.\.3 'a b' \(x\) and 2\.\.3 'b' \(y\)",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(some: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=r"some\.json:1: record 2: .*" + message):
        examples_of(task("fine"), some)


def test_what_is_written_can_be_imported() -> None:
    file = io.BytesIO()
    write(
        [TaggedExample(id="n1", text="😀 Bo", entities=(Mention(2, 4, "person"),))],
        file,
        Format.LABEL_STUDIO,
    )
    assert json.loads(file.getvalue()) == [
        {
            "id": 1,
            "data": {"text": "😀 Bo", "offset_unit": "codepoint", "id": "n1"},
            "annotations": [{"result": [result(2, 4, "Bo", "person", id="1-1")]}],
        }
    ]
