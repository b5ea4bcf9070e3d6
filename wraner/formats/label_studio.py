"""Label Studio's tasks as JSON: ``[{"data": {"text"}, "annotations": [{"result": […]}]}, …]``.

Ends are exclusive. Positions are code points since 2021, UTF-16 units before; the two differ
behind an emoji. So each span's ``value.text`` is compared, white space aside (Label Studio writes
it otherwise), and a task that fits neither, or both in two ways, is refused. What wraner writes
declares ``data.offset_unit`` where the two differ, and keeps an id that is not the content hash in
``data.id``; task numbers are Label Studio's own. Gold is the one annotation, or the one marked as
ground truth; cancelled ones count for nothing, predictions are no gold. An empty result says that
there is no entity; a task without annotation says nothing and is refused.
Sources: https://labelstud.io/guide/export and https://labelstud.io/tags/text;
`charsToCodePoints` in web/libs/editor/src/utils/selection-tools.js;
https://github.com/HumanSignal/label-studio/issues/1347 for UTF-16. Knows no pack.
"""

import re
from collections.abc import Iterable, Iterator

from pydantic import AliasChoices, Field, StrictBool, StrictInt, StrictStr

from wraner.entities import Mention, Span
from wraner.errors import InvalidInput
from wraner.formats.lines import Line
from wraner.formats.records import Fields, Record, iterate_records, render_array
from wraner.formats.spans import own_id, shortened, tagged
from wraner.packs import TaggedExample

_SHAPE = (
    '{"data": {"text": …}, "annotations": [{"result": [{"type": "labels", "value": '
    '{"start": …, "end": …, "text": …, "labels": [label]}}]}]}'
)
_CODE_POINTS = "codepoint"
# A line break may stand as the two characters \n in value.text.
_BLANK = re.compile(r"\s|\\n|\\r")


class _Value(Fields):
    start: StrictInt
    end: StrictInt
    labels: tuple[StrictStr, ...]
    text: StrictStr | None = None


class _Data(Fields):
    text: StrictStr
    id: object = None
    offset_unit: object = None


class _Kind(Fields):
    type: StrictStr
    to_name: StrictStr = ""


class _Annotation(Fields):
    result: tuple[dict[str, object], ...]
    was_cancelled: StrictBool = False
    ground_truth: StrictBool = False


class _Task(Fields):
    data: _Data
    annotations: tuple[_Annotation, ...] = Field(
        default=(), validation_alias=AliasChoices("annotations", "completions")
    )


def read_tasks(lines: Iterable[Line], name: str) -> Iterator[TaggedExample]:
    """Yield the tasks of the file called `name`.

    Raises:
        InvalidInput: a task is not of that shape, or what is gold in it or where its spans stand
            cannot be told; names file, line and record.
    """
    for record in iterate_records(lines, name):
        task = record.as_fields(_Task, shape=_SHAPE)
        values = _values(record, _gold(record, task))
        mentions = _mentions(record, task.data, values)
        known_id = task.data.id if isinstance(task.data.id, str) else None
        yield tagged(task.data.text, mentions, where=record.where, known_id=known_id)


def _gold(record: Record, task: _Task) -> _Annotation:
    counted = [a for a in task.annotations if not a.was_cancelled]
    marked = [a for a in counted if a.ground_truth]
    gold = marked if len(marked) == 1 else counted
    if len(gold) == 1:
        return gold[0]
    raise InvalidInput(
        f"{record.where}: expected one annotation (predictions are not gold, cancelled ones do "
        f"not count), was: {len(counted)}; annotate the task, mark one as ground truth, or remove "
        f"the others"
    )


def _values(record: Record, gold: _Annotation) -> list[_Value]:
    kinds = [record.part(r).as_fields(_Kind, shape=_SHAPE) for r in gold.result]
    if others := sorted({k.type for k in kinds} - {"labels"}):
        raise InvalidInput(
            f"{record.where}: expected results of the type 'labels' alone, was: "
            f"{', '.join(others)}; remove the others"
        )
    if len(names := {k.to_name for k in kinds}) > 1:
        raise InvalidInput(
            f"{record.where}: expected labels of one text, was: of {', '.join(sorted(names))}; "
            f"keep one"
        )
    parts = [record.part(r.get("value")) for r in gold.result]
    values = [part.as_fields(_Value, shape=_SHAPE) for part in parts]
    for value in values:
        if len(value.labels) != 1:
            raise InvalidInput(
                f"{record.where}: expected one label at {value.start}..{value.end}, was: "
                f"{shortened(list(value.labels))}; keep one"
            )
    return values


def _mentions(record: Record, data: _Data, values: list[_Value]) -> list[Mention]:
    """Return the spans in code points, in the one unit that fits them all."""
    in_points = [Span(v.start, v.end) for v in values]
    borders = _utf16_borders(data.text)
    in_units = [Span(borders.get(v.start, -1), borders.get(v.end, -1)) for v in values]
    declared = data.offset_unit == _CODE_POINTS
    readings = [
        spans
        for spans in ((in_points,) if declared else (in_points, in_units))
        if all(_fits(data.text, *each) for each in zip(spans, values, strict=True))
    ]
    if not readings:
        raise _misplaced(record, data.text, values, in_units)
    if readings[0] != readings[-1]:
        raise InvalidInput(
            f"{record.where}: expected spans whose 'text' tells code points from UTF-16 units, "
            f"was: {shortened(values[0].text)} at {values[0].start}, which fits both; set "
            f"data.offset_unit to {_CODE_POINTS!r} if Label Studio is of 2022 or later"
        )
    return [
        Mention(span.start, span.end, value.labels[0])
        for span, value in zip(readings[0], values, strict=True)
    ]


def _utf16_borders(text: str) -> dict[int, int]:
    """Return which UTF-16 position is which code point; inside a pair is none."""
    borders = {0: 0}
    units = 0
    for position, character in enumerate(text, start=1):
        units += 2 if character > "\uffff" else 1
        borders[units] = position
    return borders


def _fits(text: str, span: Span, value: _Value) -> bool:
    if not 0 <= span.start < span.end <= len(text):
        return False
    return value.text is None or _visible(text[span.start : span.end]) == _visible(value.text)


def _visible(text: str) -> str:
    return _BLANK.sub("", text)


def _misplaced(
    record: Record, text: str, values: list[_Value], in_units: list[Span]
) -> InvalidInput:
    pairs = list(zip(values, in_units, strict=True))
    odd = [p for p in pairs if not _fits(text, Span(p[0].start, p[0].end), p[0])]
    value, units = (odd or pairs)[0]
    points = text[max(value.start, 0) : max(value.end, 0)]
    other = text[units.start : units.end] if 0 <= units.start <= units.end else "outside the text"
    return InvalidInput(
        f"{record.where}: expected {shortened(value.text)} at {value.start}..{value.end} (end "
        f"exclusive), was: {shortened(points)} by code points, {shortened(other)} by UTF-16 "
        f"units; correct the task's start and end, all in one unit"
    )


def render_tasks(examples: Iterable[TaggedExample]) -> Iterator[bytes]:
    """Yield the examples as a file's pieces, for a config with ``label`` on ``text``."""
    return render_array(_task(example, number) for number, example in enumerate(examples, start=1))


def _task(example: TaggedExample, number: int) -> dict[str, object]:
    data = {"text": example.text}
    if any(c > "\uffff" for c in example.text):
        data["offset_unit"] = _CODE_POINTS
    if own_id(example):
        data["id"] = own_id(example)
    results = [
        {
            "id": f"{number}-{place}",
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {
                "start": m.start,
                "end": m.end,
                "text": example.text[m.start : m.end],
                "labels": [m.label],
            },
        }
        for place, m in enumerate(sorted(example.entities), start=1)
    ]
    return {"id": number, "data": data, "annotations": [{"result": results}]}
