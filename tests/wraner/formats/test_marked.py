import io

import pytest

from wraner.entities import Mention
from wraner.errors import InvalidInput
from wraner.formats.choice import Format, looks_like, read, write
from wraner.formats.marked import LEGEND, parse_marked
from wraner.packs import TaggedExample

NOTES = """\
# Notes of spring.
Sow the [carrots | plant] in [April | month].

# id = quiet
Nothing to do today, says Ann \\[sic\\] | really.
[Dill|plant], [ fennel  |plant ]
"""


def examples_of(content: str) -> list[TaggedExample]:
    return list(read(io.BytesIO(content.encode()), Format.MARKED, name="notes.txt"))


def test_entities_stand_where_they_are_marked() -> None:
    sown, quiet, herbs = examples_of(NOTES)
    assert sown == TaggedExample(
        text="Sow the carrots in April.",
        entities=(Mention(8, 15, "plant"), Mention(19, 24, "month")),
    )
    assert quiet == TaggedExample(id="quiet", text="Nothing to do today, says Ann [sic] | really.")
    # What stands before the words belongs to them, and is refused where entities are checked.
    assert herbs.text == "Dill,  fennel"
    assert herbs.entities == (Mention(0, 4, "plant"), Mention(6, 13, "plant"))


def test_hashtags_are_texts_and_comments_are_not() -> None:
    said = examples_of("#fail it never came\n#\n  # by Ann\n\\# 1 on the list\n#id = x\n")
    assert [e.text for e in said] == ["#fail it never came", "# 1 on the list", "#id = x"]


@pytest.mark.parametrize(
    ("content", "other"),
    [
        ("EU B-ORG\nrejects O\n\nGerman B-MISC\n", "CoNLL"),
        ("-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\n", "CoNLL"),
        ("# a\n\nIt rains.\n" + '{"text": "It rains."}\n', "JSON"),
    ],
)
def test_lines_of_other_formats_are_no_texts(content: str, other: str) -> None:
    with pytest.raises(
        InvalidInput, match=rf"^notes\.txt:1: expected marked text.*lines of {other}"
    ):
        examples_of(content)
    assert examples_of(f"{LEGEND}\n{content}"), "what says that it is marked text is"


def test_a_text_may_end_like_a_row_of_conll() -> None:
    assert len(examples_of("Her blood type is O\n")) == 1
    assert len(examples_of("Her blood type is O\nAnd his is AB.\n")) == 2


def test_a_line_from_code() -> None:
    example = parse_marked("\\#1 is [Ann | first name\\|nick]\\nand \\\\o/", known_id="a")
    assert example == TaggedExample(
        id="a", text="#1 is Ann\nand \\o/", entities=(Mention(6, 9, "first name|nick"),)
    )
    with pytest.raises(InvalidInput, match="marked text: column 1: "):
        parse_marked("]")


def test_what_is_written_is_plain_to_read() -> None:
    file = io.BytesIO()
    named = TaggedExample(id="n", text="# Ann [x]\r\n", entities=(Mention(2, 5, "a|b"),))
    nameless = TaggedExample(text="\ufeffHull", entities=(Mention(1, 5, "city"),))
    write([named, nameless, TaggedExample(text="It rains.")], file, Format.MARKED)
    assert file.getvalue().decode() == (
        f"{LEGEND}\n# id = n\n\\# [Ann | a\\|b] \\[x\\]\\r\\n\n\ufeff[Hull | city]\nIt rains.\n"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\nSow [carrots plant].", r":2: column 5: expected \[words \| label\], was: '\[carrots"),
        ("carrots | plant].", ":1: column 16: expected"),
        ("[a | b | c]", ":1: column 1: expected"),
        ("[a [b | c] | d]", ":1: column 1: expected"),
        ("[a | b", ":1: column 1: expected"),
        ("[|plant]", r":1: column 1: expected"),
        ("a [ | plant]", r":1: column 3: expected"),
        ("[a | ]", ":1: column 1: expected"),
        ("C:\\docs", r":1: column 3: expected one of .* behind a backslash, was: '\\\\d'"),
        ("a [b | \\d]", r":1: column 8: expected one of"),
        ("[C:\\ | drive]", ":1: column 4: expected one of"),
        ("a\\", ":1: column 2: expected"),
        ("# id = a\n# id = b\nx", ":1: expected an example behind its id"),
        ("x\n# id = a\n", ":2: expected an example behind its id"),
        ("x\n# id =  \nx", ":2: expected a name behind the id, was: none"),
        ("# ID: \na\n", ":1: expected a name behind the id"),
        ("[10|20 tyre | part]", r":1: column 1: .*\\\| for a bar in a mark"),
        ("\\n", ":1: text: expected at least one visible character"),
        ('{"text": "a", "entities": []}', "this looks like jsonl: `wraner import"),
    ],
)
def test_what_is_no_mark_is_refused_with_its_place(content: str, message: str) -> None:
    with pytest.raises(
        InvalidInput, match=r"notes\.txt" + message if message[0] == ":" else message
    ):
        examples_of(content)


def test_white_space_at_an_entitys_ends_is_not_written() -> None:
    example = TaggedExample(id="n", text="a b", entities=(Mention(1, 3, "x"),))
    with pytest.raises(InvalidInput, match=r"example 1 \(n\): expected entities without white"):
        write([example], io.BytesIO(), Format.MARKED)


def test_marked_text_is_told_from_json() -> None:
    assert looks_like(NOTES.encode()) is Format.MARKED
    assert looks_like(b"[Dill | plant] grows") is Format.MARKED
    assert looks_like(b'[["[a | b]", {"entities": []}]]') is Format.SPACY
    assert looks_like(b'[{"tokenized_text": ["[a|b]"], "ner": []}]') is Format.GLINER
    assert looks_like(b"It rains.") is None
    assert looks_like(rb"\[" * 30_000) is None, "in no time"
