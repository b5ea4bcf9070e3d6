"""Sentences on disk: they come back as they were given, and are never all held at once."""

import tempfile
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from training.sentences import Sentences
from wraner.entities import Mention
from wraner.errors import InvalidInput
from wraner.packs import TaggedExample

GIVEN = (
    TaggedExample(
        id="ann", text="Ann 🌊 left Oslo.", entities=(Mention(0, 3, "PER"), Mention(11, 15, "LOC"))
    ),
    TaggedExample(text="Nobody came."),
)


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_they_come_back_as_they_were_given() -> None:
    kept = Sentences(iter(GIVEN))
    assert tuple(kept) == GIVEN and len(kept) == 2
    assert (kept[0], kept[-1], kept[:1], kept[5:]) == (GIVEN[0], GIVEN[1], [GIVEN[0]], [])
    assert GIVEN[1] in kept
    with pytest.raises(IndexError):
        kept[2]


def test_there_may_be_none() -> None:
    assert list(Sentences([])) == []


def test_they_are_taken_one_by_one() -> None:
    given: list[weakref.ref[TaggedExample]] = []
    most = 0

    def read() -> Iterator[TaggedExample]:
        nonlocal most
        for number in range(3000):
            example = TaggedExample(text=f"Sentence {number}.")
            given.append(weakref.ref(example))
            most = max(most, sum(one() is not None for one in given[-50:]))
            yield example

    assert len(Sentences(read())) == 3000
    assert most <= 3


def test_nothing_is_left_of_their_file(temporary: Path) -> None:
    kept = Sentences(GIVEN)
    assert list(temporary.iterdir()) == []
    assert tuple(kept) == GIVEN


def test_what_goes_wrong_while_they_are_read_is_said_and_leaves_nothing(temporary: Path) -> None:
    def broken() -> Iterator[TaggedExample]:
        yield GIVEN[0]
        raise InvalidInput("line 2: expected a token")

    with pytest.raises(InvalidInput, match="line 2"):
        Sentences(broken())
    assert list(temporary.iterdir()) == []
