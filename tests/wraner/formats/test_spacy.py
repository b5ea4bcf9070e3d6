import io
import json

import pytest

from wraner.entities import Mention
from wraner.errors import InvalidInput
from wraner.formats.choice import Format, read, write
from wraner.packs import TaggedExample

# The classic sample of spaCy's documentation, as JSON.
PUBLISHED = """[
  ["Who is Shaka Khan?", {"entities": [[7, 17, "PERSON"]]}],
  ["I like London and Berlin.", {"entities": [[7, 13, "LOC"], [18, 24, "LOC"]]}]
]"""
SHAKA = TaggedExample(text="Who is Shaka Khan?", entities=(Mention(7, 17, "PERSON"),))


def examples_of(content: str) -> list[TaggedExample]:
    return list(read(io.BytesIO(content.encode()), Format.SPACY, name="some.json"))


def written(*examples: TaggedExample) -> str:
    file = io.BytesIO()
    write(examples, file, Format.SPACY)
    return file.getvalue().decode()


def test_ends_are_exclusive_code_points() -> None:
    first, second = examples_of(PUBLISHED)
    assert first == SHAKA
    assert [second.text[m.start : m.end] for m in second.entities] == ["London", "Berlin"]
    (emoji,) = examples_of('[["😀 Bo", {"entities": [[2, 4, "PERSON"]]}]]')
    assert emoji.text[2:4] == "Bo"


def test_entities_stand_in_the_order_of_the_text_and_empty_annotations_say_nothing() -> None:
    unordered = '[["a b", {"entities": [[2, 3, "y"], [0, 1, "x"]], "cats": {}, "links": null}]]'
    assert examples_of(unordered)[0].entities == (Mention(0, 1, "x"), Mention(2, 3, "y"))


def test_one_record_a_line_is_written() -> None:
    assert json.loads(written(*examples_of(PUBLISHED))) == json.loads(PUBLISHED)
    named = TaggedExample(id="n1", text="é 😀")
    assert written(SHAKA, named) == (
        '[\n["Who is Shaka Khan?", {"entities": [[7, 17, "PERSON"]]}],\n'
        '["é 😀", {"entities": [], "ids": ["n1"]}]\n]\n'
    )


def test_lines_of_prodigy_are_read() -> None:
    task = {
        "text": "Who is Shaka Khan?",
        "_input_hash": 1,
        "tokens": [{"text": "Who", "start": 0, "end": 3, "id": 0}],
        "spans": [{"start": 7, "end": 17, "label": "PERSON", "token_start": 2, "token_end": 3}],
        "answer": "accept",
    }
    assert examples_of(json.dumps(task) + "\n" + json.dumps(task)) == [SHAKA, SHAKA]


@pytest.mark.parametrize("sign", [{"answer": "accept"}, {"_view_id": "ner_manual"}])
def test_prodigys_lines_without_a_highlight_have_no_spans(sign: dict[str, str]) -> None:
    (found,) = examples_of(json.dumps({"text": "It rains.", **sign}))
    assert found == TaggedExample(text="It rains.")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ('["a b", {"entities": [[0, 1, "x"], [0, 3, "y"]]}]', r"0\.\.1 'a' \(x\) and 0\.\.3 'a b'"),
        ('["a", {"entities": [[0, 2, "x"]]}]', r"end <= 1 .*was: start 0, end 2 \('x'\)"),
        ('["a", {"entities": [[0, 0, "x"]]}]', "start < end"),
        ('["a", {"entities": ["U-x"]}]', "was: entities/0: "),
        ('["a", {"entities": [[0, "1", "x"]]}]', "was: entities/0/1: .*'1'"),
        ('["a", {"entities": [[0, 1, "x\\ny"]]}]', r"label 'x\\ny': .*one non-empty line"),
        ('["a", {"entities": [], "cats": {"A": 1}}]', "entities alone, was: cats too"),
        ('["a", {"entities": [], "ids": ["1", "2"]}]', "at most one id"),
        ('["a", {}]', "was: entities: Field required"),
        ('["a"]', "was: pair/1: Field required"),
        ('{"text": "a"}', "was: spans: Field required"),
        ('{"text": "a", "_view_id": "classification"}', "was: spans: Field required"),
        ('{"text": "a", "label": "x", "answer": "accept"}', "was: spans: Field required"),
        ('{"text": "a", "spans": [], "answer": "reject"}', "was: the answer 'reject'"),
        ('{"text": "a", "answer": "ignore"}', "was: the answer 'ignore'"),
        ('{"text": "a", "spans": [], "relations": [{}]}', "was: relations"),
        (
            '{"text": "ab", "spans": [{"start": 0, "end": 1, "label": "x", "text": "b"}]}',
            r"expected 'b' at 0\.\.1 .*was: 'a'",
        ),
        ('["\\ud800", {"entities": []}]', "surrogate"),
        ('[" ", {"entities": []}]', "visible character"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(record: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=r"some\.json:2: record 1: .*" + message):
        examples_of(f"[\n{record}\n]")


def test_the_binary_is_refused_with_the_way_to_convert_it() -> None:
    binary = io.BytesIO(b"\x78\x9c\x4b\xca\x00\x00")
    with pytest.raises(InvalidInput, match=r"train\.spacy:1: .*DocBin\(\)\.from_disk"):
        list(read(binary, Format.SPACY, name="train.spacy"))
