import io
from pathlib import Path

import pytest

from wraner.entities import Mention
from wraner.errors import InvalidInput
from wraner.formats.choice import Format, write
from wraner.formats.choice import read as read_examples
from wraner.formats.conll import read_conll
from wraner.packs import TaggedExample


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
        "-DOCSTART-\tO\na\tO\n-DOCSTART-\nb\tO\n",
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


@pytest.mark.parametrize("line", ["word", "word\tX-place", "word\tB-", "\tB-x", "word\t"])
def test_a_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(InvalidInput, match=r"some\.txt:3: expected a token"):
        read(tmp_path, f"a\tO\n\n{line}\n")


def test_a_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "some.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInput, match=r"some\.txt"):
        read_conll(tmp_path / "some.txt")
    with pytest.raises(InvalidInput, match="nowhere"):
        read_conll(tmp_path / "nowhere")


def read_sentences(content: str) -> list[TaggedExample]:
    return list(read_examples(io.BytesIO(content.encode()), Format.CONLL, name="some.conll"))


def written(*examples: TaggedExample) -> str:
    file = io.BytesIO()
    write(examples, file, Format.CONLL)
    return file.getvalue().decode()


def test_an_empty_token_is_white_space_and_a_sentence_of_them_a_blank_line(tmp_path: Path) -> None:
    content = "a\tO\n \tO\nb\tB-x\n\n\tO\n\nc\tO\n"
    assert read(tmp_path, content) == [("a  b", [("b", "x")]), ("c", [])]


def test_words_at_single_spaces_are_written_as_they_are() -> None:
    example = TaggedExample(text="Leon K. , 5%", entities=(Mention(0, 7, "multi word"),))
    assert written(example, example) == 2 * (
        "Leon\tB-multi word\nK.\tI-multi word\n,\tO\n5%\tO\n\n"
    )


def test_other_texts_stand_in_a_comment_over_their_words_and_marks() -> None:
    example = TaggedExample(text="In Paris, now", entities=(Mention(3, 8, "place"),))
    assert written(example) == "# text = In Paris, now\nIn\tO\nParis\tB-place\n,\tO\nnow\tO\n\n"


def test_line_breaks_and_outer_spaces_make_the_comment_a_json_string_and_an_id_is_kept() -> None:
    assert written(TaggedExample(text=" a ")) == '# text = " a "\na\tO\n\n'
    example = TaggedExample(id="no 1", text="a\n\tb", entities=())
    assert written(example) == '# id = no 1\n# text = "a\\n\\tb"\na\tO\nb\tO\n\n'


@pytest.mark.parametrize("text", ["\0 a", "\ufeff a", "-DOCSTART- a", '"a"  b', "a\r\nb"])
def test_what_a_reader_would_take_for_a_mark_stands_in_the_comment(text: str) -> None:
    example = TaggedExample(text=text)
    assert written(example).startswith("# text = ")
    found = read_sentences(written(example))
    assert found == read_sentences(written(example).replace("\n", "\r\n")) == [example]


def test_a_word_is_cut_where_an_entity_begins_or_ends() -> None:
    example = TaggedExample(text="unhappy", entities=(Mention(2, 5, "x"),))
    assert written(example) == "# text = unhappy\nun\tO\nhap\tB-x\npy\tO\n\n"


def test_a_token_that_looks_like_a_comment_is_a_token(tmp_path: Path) -> None:
    content = "#\tB-x\ntext\tI-x\n=\tO\n\n# O\na O\n\n# text = a\tO\n"
    assert read(tmp_path, content) == [
        ("# text =", [("# text", "x")]),
        ("# a", []),
        ("# text = a", []),
    ]


def test_a_comment_ends_before_the_carriage_return() -> None:
    assert read_sentences("# text = a,b\r\na\tO\r\n,\tO\r\nb\tO\r\n")[0].text == "a,b"


def test_comments_of_conllu_are_passed_over_and_its_texts_used(tmp_path: Path) -> None:
    content = (
        '# newdoc id = d1\n# sent_id = d1-1\n# text = "Hi", Bo!\n'
        '"\tO\nHi\tO\n"\tO\n,\tO\nBo\tB-person\n!\tO\n\n'
        '# text = "Hi"\n"\tO\nHi\tB-x\n"\tO\n'
    )
    assert read(tmp_path, content) == [
        ('"Hi", Bo!', [("Bo", "person")]),
        ('"Hi"', [("Hi", "x")]),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("# text = a b\na\tO\nc\tO\n", r"some\.txt:1: expected the tokens of 'a b', was: 'a c'"),
        ("# text = a b\na\tO\n", r"some\.txt:1: expected the tokens of 'a b', was: 'a'"),
        ("# text = a\n\nb\tO\n", r"some\.txt:1: expected tokens below the comment"),
        ("b\tO\n# text = a\n", r"some\.txt:2: expected one '# text = ' before"),
        ("# id = a\n# id = b\nb\tO\n", r"some\.txt:2: expected one '# id = ' before"),
        ("# id = \nb\tO\n", r"some\.txt:1: id: .*was: ''"),
        ("# no key\nb\tO\n", r"some\.txt:1: expected a token, a tab"),
    ],
)
def test_comments_that_do_not_fit_are_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read(tmp_path, content)


def test_only_spaces_and_tabs_part_columns(tmp_path: Path) -> None:
    content = "10\u00a0000 O\nfrancs\u202fsuisses B-MON\n\u3000 O\nNew\u00a0York B-a\u00a0b\n"
    money, place = ("francs\u202fsuisses", "MON"), ("New\u00a0York", "a\u00a0b")
    text = "10\u00a0000 francs\u202fsuisses  New\u00a0York"
    assert read(tmp_path, content) == [(text, [money, place])]
    assert read(tmp_path, "# sent_id = a\u00a0O\na O\n") == [("a", [])]


@pytest.mark.parametrize("line", ["10 000 O", "10\t000\tO", "b X Y O"])
def test_columns_are_as_many_in_every_line_of_a_sentence(tmp_path: Path, line: str) -> None:
    with pytest.raises(InvalidInput, match=r"some\.txt:4: expected 2 columns as in .*, was: [34] "):
        read(tmp_path, f"a X O\n\nb O\n{line}\n")


@pytest.mark.parametrize("mark", ["\t", " "])
def test_a_first_column_that_counts_is_no_text(tmp_path: Path, mark: str) -> None:
    content = "1 Na O O\n\n1 In O O\n2 Bonn B-city O\n\n1 Ja O O\n".replace(" ", mark)
    with pytest.raises(InvalidInput, match=r"some\.txt:3: .*first column, was: .*1 to 2; remove"):
        read(tmp_path, content)
    assert read(tmp_path, "1 O\n2 O\n") == [("1 2", [])]
    assert read(tmp_path, "a X O\nb X O\n\n1 X O\n2 X O\n") == [("a b", []), ("1 2", [])]


@pytest.mark.parametrize("last", ["b\tB-pers", "b", "b\t", "Rome NNP O", "Rome\tB-"])
def test_a_last_line_that_may_be_cut_is_refused(tmp_path: Path, last: str) -> None:
    with pytest.raises(InvalidInput, match=r"some\.txt:2: expected .*was: "):
        read(tmp_path, f"Bern NNP O B-place\n{last}")


def test_what_conll_cannot_hold_is_refused() -> None:
    with pytest.raises(InvalidInput, match=r"example 1 \(tab\): expected labels without tabs"):
        written(TaggedExample(id="tab", text="a", entities=(Mention(0, 1, "x\ty"),)))
    with pytest.raises(InvalidInput, match=r"begins and ends with a visible character, was: ' b'"):
        written(TaggedExample(text="a b", entities=(Mention(1, 3, "x"),)))
