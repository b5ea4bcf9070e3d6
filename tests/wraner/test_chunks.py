import pytest
from hypothesis import given
from hypothesis import strategies as st

from wraner.chunks import chunk, is_unspaced


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("(Foo Inc.) x", ["(", "Foo", "Inc", ".", ")", "x"]),
        ("我在北京工作", list("我在北京工作")),
        ("서울에서", list("서울에서")),
        ("Ünïcode e\u0301te\u0301", ["Ünïcode", "e\u0301te\u0301"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("ソニー2024年", ["ソ", "ニ", "ー", "2024", "年"]),
        ("ｿﾆｰA ﾊﾞB ﾊﾟ", ["ｿ", "ﾆ", "ｰ", "A", "ﾊ", "ﾞ", "B", "ﾊ", "ﾟ"]),
        ("〆2024", ["〆", "2024"]),
        ("a\x00b\n\tc", ["a", "\x00", "b", "c"]),
        ("£20.50", ["£", "20", ".", "50"]),
        ("אבג דה", ["אבג", "דה"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_words_and_marks(source: str, expected: list[str]) -> None:
    assert [c.text for c in chunk(source)] == expected


@given(st.text())
def test_every_visible_character_lies_in_exactly_one_chunk(source: str) -> None:
    chunks = chunk(source)
    assert all(c.text == source[c.start : c.end] for c in chunks)
    covered = [i for c in chunks for i in range(c.start, c.end)]
    assert len(covered) == len(set(covered))
    assert all(source[i].isspace() for i in set(range(len(source))) - set(covered))


def test_words_of_unspaced_scripts_are_told_apart() -> None:
    told = [c.text for c in chunk("ソニー e\u0301té 2024 울 กำ. x") if is_unspaced(c.text)]
    assert told == list("ソニー울กำ")
