import pytest

from wraner.entities import Mention, Span
from wraner.formats.tags import is_tag, mentions_of, tags_of

TOKENS = [Span(0, 1), Span(2, 3), Span(4, 5), Span(6, 7), Span(8, 9)]


@pytest.mark.parametrize(
    "tags",
    [
        "B-x I-x O B-y B-y",
        "I-x I-x O I-y B-y",  # IOB1
        "B-x E-x O S-y S-y",
        "B-x L-x O U-y U-y",
    ],
)
def test_the_schemes_agree(tags: str) -> None:
    expected = [Mention(0, 3, "x"), Mention(6, 7, "y"), Mention(8, 9, "y")]
    assert mentions_of(TOKENS, tags.split()) == expected


def test_a_closed_mention_is_not_continued() -> None:
    assert mentions_of(TOKENS, ["S-x", "I-x", "E-x", "I-x", "I-y"]) == [
        Mention(0, 1, "x"),
        Mention(2, 5, "x"),
        Mention(6, 7, "x"),
        Mention(8, 9, "y"),
    ]


def test_labels_may_look_like_tags() -> None:
    mentions = [Mention(0, 3, "B-like"), Mention(4, 5, "O"), Mention(6, 9, "two words")]
    tags = tags_of(TOKENS, mentions)
    assert tags == ["B-B-like", "I-B-like", "B-O", "B-two words", "I-two words"]
    assert mentions_of(TOKENS, tags) == mentions


def test_what_a_tag_is() -> None:
    assert [t for t in ("O", "B-x", "B-", "X-y", "o", "", "U-a b") if is_tag(t)] == [
        "O",
        "B-x",
        "U-a b",
    ]
