"""GLiNER's training data: tokens, and entities as first and last token, both inclusive.

``[{"tokenized_text": ["In", "New", "York"], "ner": [[1, 2, "place"]]}, …]``, as an array or as
lines. Written with ``"text"`` where the text is not its tokens and single spaces, and with
``"id"`` where the id is not the content hash; GLiNER reads neither. Relations are refused.
Sources: https://urchade.github.io/GLiNER/training.html for the shape and the inclusive ends,
`collate_raw_batch` in gliner/data_processing/processor.py for the keys. Knows no pack.
"""

from collections.abc import Iterable, Iterator

from pydantic import StrictInt, StrictStr

from wraner.entities import Mention, Span
from wraner.errors import InvalidInput
from wraner.formats.lines import Line
from wraner.formats.records import Fields, Record, iterate_records, render_array
from wraner.formats.spans import own_id, shortened, tagged
from wraner.formats.tokens import align, join, pieces, words_at_spaces
from wraner.packs import TaggedExample

_SHAPE = '{"tokenized_text": [token, …], "ner": [[first token, last token, label], …]}'


class _Sample(Fields):
    tokenized_text: tuple[StrictStr, ...]
    ner: tuple[tuple[StrictInt, StrictInt, StrictStr], ...]
    relations: tuple[object, ...] | None = None
    text: StrictStr | None = None
    id: StrictStr | StrictInt | None = None


def read_samples(lines: Iterable[Line], name: str) -> Iterator[TaggedExample]:
    """Yield the samples of the file called `name`.

    Raises:
        InvalidInput: a sample is not of that shape; names file, line and record.
    """
    for record in iterate_records(lines, name):
        sample = record.as_fields(_Sample, shape=_SHAPE)
        if sample.relations:
            raise InvalidInput(
                f"{record.where}: expected entities alone, was: relations too; remove them"
            )
        text, tokens = _placed(record, sample)
        mentions = [_mention(record, tokens, entity) for entity in sample.ner]
        known_id = sample.id if isinstance(sample.id, str) else None
        yield tagged(text, mentions, where=record.where, known_id=known_id)


def _placed(record: Record, sample: _Sample) -> tuple[str, tuple[Span, ...]]:
    if sample.text is None:
        return join(sample.tokenized_text)
    tokens = align(sample.tokenized_text, sample.text)
    if not tokens:
        raise InvalidInput(
            f"{record.where}: expected a text of the tokens and white space alone, was: "
            f"{shortened(sample.text)}; correct it, or remove the key 'text'"
        )
    return sample.text, tokens


def _mention(record: Record, tokens: tuple[Span, ...], entity: tuple[int, int, str]) -> Mention:
    first, last, label = entity
    if not 0 <= first <= last < len(tokens):
        raise InvalidInput(
            f"{record.where}: expected 0 <= first <= last < {len(tokens)} (GLiNER's last token "
            f"belongs to the entity), was: {list(entity)}; correct it"
        )
    return Mention(tokens[first].start, tokens[last].end, label)


def render_samples(examples: Iterable[TaggedExample]) -> Iterator[bytes]:
    """Yield the examples as a file's pieces.

    Raises:
        InvalidInput: an entity begins or ends with white space, which lies in no token.
    """
    return render_array(
        _sample(example, f"example {number} ({example.id})")
        for number, example in enumerate(examples, start=1)
    )


def _sample(example: TaggedExample, where: str) -> dict[str, object]:
    spans = words_at_spaces(example) or pieces(example, where)
    tokens = [example.text[s.start : s.end] for s in spans]
    first = {s.start: n for n, s in enumerate(spans)}
    last = {s.end: n for n, s in enumerate(spans)}
    ner = [[first[m.start], last[m.end], m.label] for m in sorted(example.entities)]
    sample: dict[str, object] = {"tokenized_text": tokens, "ner": ner}
    if " ".join(tokens) != example.text:
        sample["text"] = example.text
    return sample | ({"id": own_id(example)} if own_id(example) else {})
