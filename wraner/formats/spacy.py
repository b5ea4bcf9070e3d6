"""spaCy's training data as JSON: ``[[text, {"entities": [[start, end, label], …]}], …]``.

Positions are Python's: half-open code points. That list is written, since every spaCy recipe takes
it (``Example.from_dict(nlp.make_doc(text), annotations)``); an id that is not the content hash
stands in ``"ids": [id]``, the one key that spaCy passes over. Read as well: Prodigy's lines,
``{"text", "spans": [{"start", "end", "label"}]}``, accepted ones only; ``"spans"`` tells them
apart, or where nothing is highlighted ``"answer"`` or ``"_view_id"``. Other annotations (cats,
links, …) are refused.
Sources: https://spacy.io/api/example#from_dict and `_fix_legacy_dict_data` in
spacy/training/example.pyx; https://prodi.gy/docs/api-interfaces#ner_manual. Knows no pack.
"""

from collections.abc import Iterable, Iterator

from pydantic import StrictInt, StrictStr

from wraner.entities import Mention
from wraner.errors import InvalidInput
from wraner.formats.lines import Line
from wraner.formats.records import Fields, Record, iterate_records, render_array
from wraner.formats.spans import own_id, shortened, tagged
from wraner.packs import TaggedExample

_PAIR = '[text, {"entities": [[start, end, label], …]}]'
_TASK = '{"text": …, "spans": [{"start": …, "end": …, "label": …}, …]}'
_HELD = {"entities", "ids"}
_VIEWS_OF_SPANS = ("ner", "ner_manual", "spans", "spans_manual")
_OF_CLASSES = {"label", "options"}


class _Annotations(Fields):
    entities: tuple[tuple[StrictInt, StrictInt, StrictStr], ...]
    ids: tuple[StrictStr, ...] = ()


class _Pair(Fields):
    pair: tuple[StrictStr, dict[str, object]]


class _Span(Fields):
    start: StrictInt
    end: StrictInt
    label: StrictStr
    text: StrictStr | None = None


class _Task(Fields):
    text: StrictStr
    spans: tuple[_Span, ...]
    answer: StrictStr = "accept"
    relations: tuple[object, ...] | None = None
    id: object = None


def read_pairs(lines: Iterable[Line], name: str) -> Iterator[TaggedExample]:
    """Yield the examples of the file called `name`.

    Raises:
        InvalidInput: a record is of neither shape; names file, line and record.
    """
    for record in iterate_records(lines, name):
        yield _from_task(record) if isinstance(record.content, dict) else _from_pair(record)


def _from_pair(record: Record) -> TaggedExample:
    text, content = record.part({"pair": record.content}).as_fields(_Pair, shape=_PAIR).pair
    if others := sorted(key for key, value in content.items() if value and key not in _HELD):
        raise InvalidInput(
            f"{record.where}: expected entities alone, was: {', '.join(others)} too; remove them"
        )
    annotations = record.part(content).as_fields(_Annotations, shape=_PAIR)
    if len(annotations.ids) > 1:
        raise InvalidInput(
            f"{record.where}: expected at most one id, was: {shortened(annotations.ids)}; keep one"
        )
    mentions = [Mention(*entity) for entity in annotations.entities]
    known_id = annotations.ids[0] if annotations.ids else None
    return tagged(text, mentions, where=record.where, known_id=known_id)


def _from_task(record: Record) -> TaggedExample:
    content = record.content
    if isinstance(content, dict) and _has_no_highlight(content):
        record = record.part({**content, "spans": []})
    task = record.as_fields(_Task, shape=f"{_PAIR} or {_TASK}")
    if task.answer != "accept" or task.relations:
        was = "relations" if task.relations else f"the answer {task.answer!r}"
        raise InvalidInput(
            f"{record.where}: expected an accepted task with spans alone, was: {was}; keep what "
            f"is gold, for instance: jq -c 'select(.answer == \"accept\") | del(.relations)'"
        )
    for span in task.spans:
        named = task.text[max(span.start, 0) : max(span.end, 0)]
        if span.text is not None and span.text != named:
            raise InvalidInput(
                f"{record.where}: expected {shortened(span.text)} at {span.start}..{span.end} "
                f"(code points, end exclusive), was: {shortened(named)}; correct the span"
            )
    mentions = [Mention(s.start, s.end, s.label) for s in task.spans]
    known_id = task.id if isinstance(task.id, str) else None
    return tagged(task.text, mentions, where=record.where, known_id=known_id)


def _has_no_highlight(content: dict[str, object]) -> bool:
    """Return whether this is Prodigy's task of marking spans, with none marked.

    Its tasks of choosing a class have no spans either, and do not say that there is no entity.
    """
    is_prodigys = bool(content.keys() & {"answer", "_view_id"})
    marks_spans = content.get("_view_id", "ner_manual") in _VIEWS_OF_SPANS
    return (
        "spans" not in content and is_prodigys and marks_spans and not content.keys() & _OF_CLASSES
    )


def render_pairs(examples: Iterable[TaggedExample]) -> Iterator[bytes]:
    """Yield the examples as a file's pieces."""
    return render_array(map(_pair, examples))


def _pair(example: TaggedExample) -> list[object]:
    annotations: dict[str, object] = {
        "entities": [[m.start, m.end, m.label] for m in sorted(example.entities)]
    }
    if own_id(example):
        annotations["ids"] = [own_id(example)]
    return [example.text, annotations]
