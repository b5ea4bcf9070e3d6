import io
from pathlib import Path

import pytest

from wraner.errors import InvalidInput
from wraner.formats.choice import Format, guess, read, read_judged, write
from wraner.packs import TaggedExample

SAMPLES = {
    Format.CONLL: b"Bo\tB-person\n\nate\tO\n",
    Format.JSONL: b'{"text": "Bo", "entities": [{"start": 0, "end": 2, "label": "person"}]}\n'
    b'{"text": "ate", "entities": []}\n',
    Format.SPACY: b'[\n["Bo", {"entities": [[0, 2, "person"]]}],\n["ate", {"entities": []}]\n]\n',
    Format.GLINER: b'[{"tokenized_text": ["Bo"], "ner": [[0, 0, "person"]]},\n'
    b'{"tokenized_text": ["ate"], "ner": []}]\n',
    Format.LABEL_STUDIO: b'[{"data": {"text": "Bo"}, "annotations": [{"result": [{"type": "labels",'
    b' "value": {"start": 0, "end": 2, "labels": ["person"]}}]}]},\n'
    b'{"data": {"text": "ate"}, "annotations": [{"result": []}]}]\n',
    Format.MARKED: b"[Bo | person]\nate\n",
}


def examples_of(content: bytes, kind: Format) -> list[TaggedExample]:
    return list(read(io.BytesIO(content), kind, name="some.file"))


@pytest.mark.parametrize("kind", Format)
def test_a_mark_of_byte_order_and_carriage_returns_change_nothing(kind: Format) -> None:
    plain = examples_of(SAMPLES[kind], kind)
    assert [e.text for e in plain] == ["Bo", "ate"]
    assert [m.label for m in plain[0].entities] == ["person"]
    marked = b"\xef\xbb\xbf" + SAMPLES[kind].replace(b"\n", b"\r\n")
    assert examples_of(marked, kind) == plain


@pytest.mark.parametrize("given", Format)
@pytest.mark.parametrize("kind", Format)
def test_another_format_is_refused_and_named(kind: Format, given: Format) -> None:
    if kind is not given:
        told = f"this looks like {given}: `wraner import --format {given}` reads it$"
        hint = rf"some\.file:\d+: .*{told}"
        with pytest.raises(InvalidInput, match=hint):
            examples_of(SAMPLES[given], kind)


@pytest.mark.parametrize("kind", [k for k in Format if k is not Format.MARKED])  # any text is one
def test_a_file_cut_anywhere_is_refused_or_ends_with_a_record(kind: Format) -> None:
    whole = examples_of(SAMPLES[kind], kind)
    for size in range(len(SAMPLES[kind])):
        try:
            found = examples_of(SAMPLES[kind][:size], kind)
        except InvalidInput as error:
            assert error.message.startswith("some.file:")
        else:
            # No reader can tell a file that was cut between two records, or at the white space
            # behind the last.
            assert found in (whole[:1], whole)
            assert kind in (Format.CONLL, Format.JSONL) or found == whole


@pytest.mark.parametrize("kind", Format)
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "at least one example, was: none"),
        (b"\n \n", "at least one example, was: none"),
        (b"\x1f\x8b\x08", "a gzip archive; unpack it with gunzip"),
        (b"PK\x03\x04", "a zip archive"),
        ("a\tO\n".encode("utf-16"), "UTF-16 text; convert it, .*iconv -f utf-16 "),
        ("a\tO\n".encode("utf-16le"), "UTF-16 text; .*iconv -f utf-16le"),
        ("a\tO\n".encode("utf-16be"), "UTF-16 text; .*iconv -f utf-16be"),
        ("é\tO\n".encode("latin1"), "byte 0xe9 at byte 1 of the line; .*iconv -f latin1"),
        ("é".encode()[:1], "ends in the middle of a character; get the whole"),
    ],
)
def test_files_that_are_no_examples_are_refused(kind: Format, content: bytes, message: str) -> None:
    with pytest.raises(InvalidInput, match=r"some\.file:1: .*" + message):
        examples_of(content, kind)


def test_lines_beyond_the_first_are_named() -> None:
    with pytest.raises(InvalidInput, match=r"some\.file:40001: .*0xff"):
        examples_of(b"a\tO\n\n" * 20_000 + b"\xff\tO\n", Format.CONLL)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'\n\n[\n["a", {}]]', r":4: record 1: .*entities: Field required"),
        (b'[["a", {"entities": []}],\n["b"', r":2: record 2: .*ends too early"),
        (b'[["a", {"entities": []}]\n["b"]]', r":1: record 1: expected ',' or '\]'"),
        (b'[["a", {"entities": []}]]\n[]', r":2: expected the file's end"),
        (b'[["a", {"entities": [],}]]', r":1: record 1: expected JSON, was: .*column 24"),
        (b'[["a", {"entities": [], "entities": []}]]', "the key 'entities' twice"),
        (b'[["a", {"entities": NaN}]]', "NaN, which JSON does not know"),
        (b"[" * 100_000, "nested too deeply"),
        (b'[["a", {"entities": []}],]', ":1: record 2: expected JSON"),
        (b"[]", "at least one example"),
        (b'{"text": "a", "spans": []} 1', ":1: expected one JSON object a line"),
        (b'{\n"text": "a", "spans": []}', ":1: expected whole JSON"),
        (b"'a'", ":1: expected JSON"),
    ],
)
def test_json_that_is_wrong_is_refused_with_its_place(content: bytes, message: str) -> None:
    with pytest.raises(InvalidInput, match=r"some\.file.*" + message):
        examples_of(content, Format.SPACY)


def test_judged_examples_name_the_format_that_was_given() -> None:
    with pytest.raises(InvalidInput, match=r"x:1: .*`wraner import --format spacy` reads it"):
        list(read_judged(io.BytesIO(SAMPLES[Format.SPACY]), name="x"))


@pytest.mark.parametrize("kind", Format)
def test_nothing_is_not_written(kind: Format) -> None:
    file = io.BytesIO()
    with pytest.raises(InvalidInput, match="at least one example to write"):
        write([], file, kind)
    assert file.getvalue() == b""


def test_only_plain_endings_are_guessed() -> None:
    names = ["a.conll", "a.BIO", "a.jsonl", "a.spacy", "a.json", "a.txt", "a"]
    assert [guess(Path(name)) for name in names] == [
        Format.CONLL, Format.CONLL, Format.JSONL, Format.SPACY, None, None, None,
    ]  # fmt: skip
