from pathlib import Path

import pytest

from training.conll import read_conll
from wraner.entities import Mention
from wraner.errors import InvalidInput


def read(tmp_path: Path, content: str) -> list[tuple[str, list[tuple[str, str]]]]:
    path = tmp_path / "some.txt"
    path.write_bytes(content.encode())
    return [
        (e.text, [(e.text[m.start : m.end], m.label) for m in e.entities]) for e in read_conll(path)
    ]


def test_tokens_are_joined_and_tags_become_mentions(tmp_path: Path) -> None:
    content = "Leon\tB-person\nKowalski\tI-person\n,\tO\n\nIn\tO\nNew\tB-place\nYork\tI-place\n"
    assert read(tmp_path, content) == [
        ("Leon Kowalski ,", [("Leon Kowalski", "person")]),
        ("In New York", [("New York", "place")]),
    ]


def test_neighbouring_mentions_stay_apart(tmp_path: Path) -> None:
    content = "a\tB-x\nb\tB-x\nc\tI-y\nd\tI-y\ne\tO\nf\tI-y\n"
    mentions = [("a", "x"), ("b", "x"), ("c d", "y"), ("f", "y")]
    assert read(tmp_path, content) == [("a b c d e f", mentions)]


@pytest.mark.parametrize(
    "content",
    [
        "\n\na\tO\n\n\n\nb\tO",
        "a\tO\r\n\r\nb\tO\r\n",
        "-DOCSTART- -X- O O\n\na X Y O\n \nb O\n",
        "a\tNN\tO\n\t\nb\tO\n",
    ],
)
def test_blank_lines_separate_whatever_the_line_ends(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == [("a", []), ("b", [])]


def test_positions_are_code_points(tmp_path: Path) -> None:
    path = tmp_path / "some.txt"
    path.write_bytes("😀\tO\n北京\tB-place\n".encode())
    assert read_conll(path)[0].entities == (Mention(2, 4, "place"),)


def test_no_sentence_no_example(tmp_path: Path) -> None:
    assert read(tmp_path, "\n\n") == []


@pytest.mark.parametrize("line", ["word", "word\tX-place", "word\tB-", "\tO", "word\t"])
def test_a_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(InvalidInput, match=r"some\.txt:3: expected a token"):
        read(tmp_path, f"a\tO\n\n{line}\n")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match=r"some\.txt"):
        read_conll(tmp_path / "some.txt")
    with pytest.raises(InvalidInput, match="nowhere"):
        read_conll(tmp_path / "nowhere")
