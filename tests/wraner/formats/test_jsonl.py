import io
from pathlib import Path

import pytest

from wraner.errors import InvalidInput
from wraner.formats.choice import Format, read, read_judged, write
from wraner.formats.jsonl import render_lines
from wraner.pack_folders import iterate_examples, read_definitions
from wraner.packs import JudgedExample, TaggedExample

PACKS = Path(__file__).parents[3] / "packs"


def test_a_packs_own_lines_are_read_as_the_pack_reads_them() -> None:
    folder = PACKS / "customer-care"
    stored = [e for _, e in iterate_examples(folder / "examples.jsonl", read_definitions(folder))]
    with (folder / "examples.jsonl").open("rb") as file:
        assert list(read(file, Format.JSONL, name="examples.jsonl")) == stored


def test_judged_examples_come_back() -> None:
    folder = PACKS / "hate-speech"
    with (folder / "examples.jsonl").open("rb") as file:
        examples = list(read_judged(file, name="examples.jsonl"))
    written = io.BytesIO()
    written.writelines(render_lines(examples))
    again = list(read_judged(io.BytesIO(written.getvalue()), name="x"))
    assert again == examples
    assert all(isinstance(e, JudgedExample) for e in again)


def test_what_was_written_is_written_the_same_again() -> None:
    first, second = io.BytesIO(), io.BytesIO()
    write([TaggedExample(text="é\u2028b"), TaggedExample(id="n", text="a")], first, Format.JSONL)
    examples = read(io.BytesIO(first.getvalue()), Format.JSONL, name="x")
    write(examples, second, Format.JSONL)
    assert second.getvalue() == first.getvalue()
    assert first.getvalue().count(b"\n") == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a", "entities": [{"start": 0, "end": 2, "label": "x"}]}', "end <= 1"),
        (
            '{"text": "a b", "entities": [{"start": 0, "end": 3, "label": "x"}, '
            '{"start": 2, "end": 3, "label": "y"}]}',
            r"was: 0\.\.3 'a b' \(x\) and 2\.\.3 'b' \(y\)",
        ),
        ('{"text": "a", "violates": ["p"]}', "example of a policy set, for it has violates"),
        ('{"text": "a", "entities": [], "neighbours": []}', "an answer .* written with --marked"),
        ('{"text": "a', "EOF while parsing a string.*correct the line"),
    ],
)
def test_a_wrong_line_is_named(line: str, message: str) -> None:
    content = io.BytesIO(b'{"text": "fine"}\n\n' + line.encode())
    with pytest.raises(InvalidInput, match=r"some\.jsonl:3: .*" + message):
        list(read(content, Format.JSONL, name="some.jsonl"))
