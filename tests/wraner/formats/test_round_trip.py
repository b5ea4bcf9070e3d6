"""What a format wrote, it reads back as the same examples: invented texts and published corpora."""

import io
import re
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wraner.entities import Mention
from wraner.errors import InvalidInput
from wraner.formats.choice import Format, read, write
from wraner.packs import TaggedExample

LABELS = ["person", "B-like", "multi word", "O", "日付", "I-", "#", "a\u00a0b", "a | b", "[]\\"]
IDS = ["n1", "two words", '"quoted"', "日", "# id = x", "é\u00a0", "O"]
# What formats may stumble over: marks, breaks of lines, emoji, CJK, combining and control marks.
PIECES = [
    "a", "Bo", " ", "  ", "\t", "\n", "\r", "\r\n", "\u2028", "\x85", "\xa0", "\x1c", "\0",
    "\ufeff", "#",
    "# text = ", "# id = ", "-DOCSTART-", '"', "\\n", "O", "B-x", ",", "[", "]", "|", "\\", "{",
    "'s", "😀",
    "👩\u200d🚒", "é", "e\u0301", "\u0301", "北京", "서울", "ไทย", "مرحبا", "\ue000", "_", "5%",
]  # fmt: skip
texts = st.one_of(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map("".join),
    st.lists(st.sampled_from([p for p in PIECES if p.strip()]), min_size=1).map(" ".join),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20),
).filter(str.strip)


@st.composite
def examples(draw: st.DrawFn, *, visible_edges: bool) -> TaggedExample:
    text = draw(texts)
    cuts = sorted(draw(st.sets(st.integers(0, len(text)), max_size=8)))
    mentions = []
    for start, end in pairwise(cuts):
        named = text[start:end]
        if visible_edges:
            start += len(named) - len(named.lstrip())
            end -= len(named) - len(named.rstrip())
        if start < end and draw(st.booleans()):
            mentions.append(Mention(start, end, draw(st.sampled_from(LABELS))))
    known = draw(st.none() | st.sampled_from(IDS).filter(lambda i: i == i.strip()))
    given_id = {} if known is None else {"id": known}
    return TaggedExample(text=text, entities=tuple(mentions), **given_id)


def again(written: list[TaggedExample], kind: Format) -> list[TaggedExample]:
    file = io.BytesIO()
    write(written, file, kind)
    return list(read(io.BytesIO(file.getvalue()), kind, name="some.file"))


@pytest.mark.parametrize("kind", [Format.CONLL, Format.GLINER, Format.MARKED])
@given(written=st.lists(examples(visible_edges=True), min_size=1, max_size=3))
def test_formats_of_tokens_and_marks_are_exact(kind: Format, written: list[TaggedExample]) -> None:
    assert again(written, kind) == written


@pytest.mark.parametrize("kind", [Format.JSONL, Format.SPACY, Format.LABEL_STUDIO])
@given(written=st.lists(examples(visible_edges=False), min_size=1, max_size=3))
def test_formats_of_positions_are_exact(kind: Format, written: list[TaggedExample]) -> None:
    assert again(written, kind) == written


@pytest.mark.parametrize("kind", [k for k in Format if k is not Format.JSONL])
def test_entities_come_back_in_the_order_of_the_text(kind: Format) -> None:
    first, second = Mention(0, 1, "x"), Mention(2, 3, "y")
    unordered = TaggedExample(text="a b", entities=(second, first))
    (found,) = again([unordered], kind)
    assert found == TaggedExample(id=unordered.id, text="a b", entities=(first, second))


@pytest.mark.parametrize("kind", Format)
@pytest.mark.parametrize(
    ("text", "mention", "message"),
    [
        ("ab", Mention(0, 3, "x"), r"example 1 \(n\): expected 0 <= start < end <= 2"),
        ("ab", Mention(0, 1, "x\ny"), "one non-empty line"),
        ("ab", Mention(0, 1, ""), "label ''"),
        ("a\ud800", Mention(0, 1, "x"), "half a surrogate pair"),
    ],
)
def test_what_no_format_holds_is_refused(
    kind: Format, text: str, mention: Mention, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        write([TaggedExample(id="n", text=text, entities=(mention,))], io.BytesIO(), kind)


def conll_again(path: Path) -> tuple[str, str]:
    content = path.read_bytes()
    found = list(read(io.BytesIO(content), Format.CONLL, name=str(path)))
    file = io.BytesIO()
    write(found, file, Format.CONLL)
    return content.decode(), file.getvalue().decode()


def test_crossner_comes_back_byte_for_byte(crossner: Path) -> None:
    paths = [p for p in sorted(crossner.glob("*/*.txt")) if p.parent.name != "conll2003"]
    assert len(paths) == 15
    for path in paths:
        content, written = conll_again(path)
        assert written == content, path


def test_conll2003_comes_back_but_for_blank_lines(crossner: Path) -> None:
    """Its files part documents with two blank lines and end without one."""
    for path in sorted((crossner / "conll2003").glob("*.txt")):
        content, written = conll_again(path)
        assert written == re.sub("\n\n+", "\n\n", content) + "\n", path


def test_other_corpora_are_read_whole(crossner: Path) -> None:
    sources = crossner.parent / "ner-sources"
    if not sources.is_dir():
        pytest.skip(f"the other corpora are not at {sources}")
    tagged = {}
    for path in sorted(sources.glob("*/*.conll")):
        with path.open("rb") as file:
            found = list(read(file, Format.CONLL, name=str(path)))
        name = f"{path.parent.name}/{path.stem}"
        tagged[name] = (len(found), sum(len(e.entities) for e in found))
    # Both hold empty tokens tagged O, and h two sentences of nothing else.
    assert tagged["btc/f"][0] == tagged["btc/h"][0] == 2000
    assert len(tagged) == 17
    assert all(entities > sentences / 10 for sentences, entities in tagged.values())
