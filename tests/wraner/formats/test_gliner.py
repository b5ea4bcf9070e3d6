import io
import json

import pytest

from wraner.entities import Mention
from wraner.errors import InvalidInput
from wraner.formats.choice import Format, read, write
from wraner.packs import TaggedExample

# The sample of https://urchade.github.io/GLiNER/training.html.
PUBLISHED = """[
    {
        "tokenized_text": ["Apple", "Inc.", "is", "headquartered", "in", "Cupertino"],
        "ner": [[0, 1, "organization"], [5, 5, "location"]]
    },
    {"tokenized_text": ["Steve", "Jobs", "founded", "Apple"],
     "ner": [[0, 1, "person"], [3, 3, "organization"]]}
]"""


def examples_of(content: str) -> list[TaggedExample]:
    return list(read(io.BytesIO(content.encode()), Format.GLINER, name="some.json"))


def written(*examples: TaggedExample) -> list[object]:
    file = io.BytesIO()
    write(examples, file, Format.GLINER)
    content: list[object] = json.loads(file.getvalue())
    return content


def test_last_tokens_belong_to_their_entities() -> None:
    assert examples_of(PUBLISHED) == [
        TaggedExample(
            text="Apple Inc. is headquartered in Cupertino",
            entities=(Mention(0, 10, "organization"), Mention(31, 40, "location")),
        ),
        TaggedExample(
            text="Steve Jobs founded Apple",
            entities=(Mention(0, 10, "person"), Mention(19, 24, "organization")),
        ),
    ]


def test_what_was_read_is_written_alike() -> None:
    assert written(*examples_of(PUBLISHED)) == json.loads(PUBLISHED)


def test_a_text_that_its_tokens_do_not_tell_is_kept_beside_them() -> None:
    example = TaggedExample(id="n1", text="In Paris, now", entities=(Mention(3, 8, "place"),))
    assert written(example) == [
        {
            "tokenized_text": ["In", "Paris", ",", "now"],
            "ner": [[1, 1, "place"]],
            "text": "In Paris, now",
            "id": "n1",
        }
    ]


def test_lines_of_objects_are_read() -> None:
    lines = "\n".join(json.dumps(sample) for sample in json.loads(PUBLISHED))
    assert examples_of(lines) == examples_of(PUBLISHED)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ('{"tokenized_text": ["a"], "ner": [[0, 1, "x"]]}', r"last < 1 .* was: \[0, 1, 'x'\]"),
        ('{"tokenized_text": ["a"], "ner": [[-1, 0, "x"]]}', "0 <= first"),
        ('{"tokenized_text": ["a", "b"], "ner": [[1, 0, "x"]]}', "first <= last"),
        ('{"tokenized_text": "a b", "ner": []}', "was: tokenized_text: "),
        ('{"tokenized_text": ["a"], "ner": [[0, true, "x"]]}', "was: ner/0/1: .*True"),
        ('{"tokenized_text": ["a"]}', "was: ner: Field required"),
        ('{"tokenized_text": ["a"], "ner": [], "text": "b"}', "text of the tokens"),
        ('{"tokenized_text": ["a"], "ner": [], "relations": [[0, 0, "r"]]}', "relations too"),
        ('{"tokenized_text": [], "ner": []}', "text: .*visible character"),
        (
            '{"tokenized_text": ["a", "b"], "ner": [[0, 1, "x"], [1, 1, "y"]]}',
            r"do not overlap, was: 0\.\.3 'a b' \(x\) and 2\.\.3 'b' \(y\); keep one",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(sample: str, message: str) -> None:
    good = '{"tokenized_text": ["a"], "ner": []}'
    with pytest.raises(InvalidInput, match=r"some\.json:3: record 2: .*" + message):
        examples_of(f"[\n{good},\n{sample}\n]")


def test_an_entity_with_white_space_at_its_end_lies_in_no_token() -> None:
    with pytest.raises(InvalidInput, match="visible character, was: 'a '"):
        written(TaggedExample(text="a b", entities=(Mention(0, 2, "x"),)))
