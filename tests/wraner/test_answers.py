from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from wraner.answers import GAP, AnswerSpec, FlatText, write_label
from wraner.chunks import chunk
from wraner.entities import Mention

LABELS = ("person", "a: b", '"quoted', GAP, "city of light", "city")
TEXTS = st.text(
    st.sampled_from(list('ab .,:\n\t"北京😀é\u0301\u05d0\x00<|>')) | st.characters(codec="utf-8"),
    min_size=1,
    max_size=60,
)


@st.composite
def tagged(draw: st.DrawFn) -> tuple[str, list[Mention]]:
    """A text with flat mentions at its chunks' borders."""
    source = draw(TEXTS)
    chunks = chunk(source)
    assume(chunks)
    cuts = draw(st.lists(st.integers(0, len(chunks)), unique=True, max_size=8))
    cuts.sort()
    mentions = [
        Mention(chunks[a].start, chunks[b - 1].end, draw(st.sampled_from(LABELS)))
        for a, b in zip(cuts[::2], cuts[1::2], strict=False)
    ]
    return source, mentions


@given(tagged())
def test_parse_gives_back_what_render_wrote(example: tuple[str, list[Mention]]) -> None:
    source, mentions = example
    spec = AnswerSpec(LABELS, source)
    parsed = spec.parse(spec.render(mentions).splitlines())
    assert parsed.dropped == 0
    assert list(parsed.mentions) == mentions


@given(tagged())
def test_an_answer_is_the_whole_text(example: tuple[str, list[Mention]]) -> None:
    source, mentions = example
    spec = AnswerSpec(LABELS, source)
    cursor = 0
    for line in spec.render(mentions).removesuffix("\n").split("\n"):
        aligned = spec.align_line(line, cursor)
        assert aligned is not None
        found = spec.flat.find(line.rpartition(": ")[2], cursor)
        assert found is None or found[0] == cursor  # None where the words hold a colon
        _, cursor = aligned
    assert cursor == len(spec.flat.starts)


def test_spans_follow_the_cursor() -> None:
    spec = AnswerSpec(("x",), "Foo bar Foo baz Foo")
    parsed = spec.parse(["x: Foo", "x: Foo", "x: bar", "x: Foo", "x: Foo", "y: baz", "x: az"])
    assert [m.start for m in parsed.mentions] == [0, 8, 16]
    assert parsed.lines == (0, 1, 3)
    assert parsed.dropped == 4


def test_only_whole_chunks_are_found() -> None:
    flat = FlatText.of("caveat cave  eat")
    assert flat.flat == "caveat cave eat"
    assert flat.find("cave", 0) == (1, 2)
    assert flat.find("cave eat", 0) == (1, 3)
    assert flat.find("eat", 0) == (2, 3)
    assert flat.find("", 0) is None


@pytest.mark.parametrize("label", ["a:b", "a: b", '"x"', GAP])
def test_labels_that_look_like_syntax_are_quoted(label: str) -> None:
    assert write_label(label).startswith('"')
    assert AnswerSpec((label,), "Bob").parse([f"{write_label(label)}: Bob"]).mentions == (
        Mention(0, 3, label),
    )


def test_malformed_lines_are_dropped_and_counted() -> None:
    spec = AnswerSpec(("x",), "Bob")
    assert spec.parse(['"x', "x:Bob", "x", "", '"x"Bob', "x: "]).dropped == 6


def test_alignment_of_crossner_is_exact(crossner: Path) -> None:
    from wraner.formats.conll import read_conll

    wrong = total = 0
    for path in sorted(crossner.glob("*/*.txt")):
        if path.parent.name == "conll2003":
            continue
        for example in read_conll(path):
            labels = tuple({m.label for m in example.entities}) or ("none of it",)
            spec = AnswerSpec(labels, example.text)
            parsed = spec.parse(spec.render(example.entities).splitlines())
            total += len(example.entities)
            wrong += len(set(example.entities) - set(parsed.mentions))
    assert total > 30_000
    assert wrong == 0


@pytest.mark.parametrize(
    ("begun", "cursor", "guess"),
    [
        ("x: Anna", 2, " Berg\n"),
        ("x: Anna Berg", 2, "\n"),
        ("x: Oslo", 5, "\n"),
        ("x: Ann", 2, ""),
        ("x: ", 2, ""),
        ("x", 2, ""),
        ("-: We", 0, " saw\n"),
        ("-: in", 4, "\n"),
    ],
)
def test_a_guess_runs_to_where_a_name_ends_or_begins(begun: str, cursor: int, guess: str) -> None:
    assert AnswerSpec(("x",), "We saw Anna  Berg in Oslo (Norway)").guess(begun, cursor) == guess
