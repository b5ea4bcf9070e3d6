import pytest
from hypothesis import given
from hypothesis import strategies as st

from wraner.chunks import chunk
from wraner.entities import Entity, apart
from wraner.windows import MAX_BYTES, Window, cut, merge

TEXTS = st.text(st.sampled_from(list("ab .!\n北")), max_size=300)


@given(TEXTS, st.integers(3, 20))
def test_windows_cover_and_own_every_chunk_once(source: str, words: int) -> None:
    windows = cut(source, words=words, overlap=(words - 1) // 2)
    for c in chunk(source):
        owners = [w for w in windows if w.owned_start <= c.start < w.owned_end]
        assert len(owners) == 1
        assert owners[0].start <= c.start and c.end <= owners[0].end
    assert all(len(chunk(source[w.start : w.end])) <= words for w in windows)


def test_a_window_ends_behind_a_sentence_where_it_can() -> None:
    source = "One two three four. Five six seven eight nine."
    first, *_ = cut(source, words=6, overlap=1)
    assert source[first.start : first.end] == "One two three four."


def test_a_short_text_is_one_window_and_a_blank_one_none() -> None:
    assert cut("a b", words=10, overlap=2) == (Window(0, 3, 0, 3),)
    assert cut(" \n", words=10, overlap=2) == ()


@pytest.mark.parametrize(
    "source", ["1" * 20_000, "12345678901234567890 " * 900, "e" + "\u0301" * 20_000, "😀" * 20_000]
)
def test_what_is_no_words_is_cut_by_its_bytes(source: str) -> None:
    windows = cut(source, words=160, overlap=40)
    pieces = [source[w.start : w.end] for w in windows]
    assert all(len("".join(piece.split()).encode()) <= MAX_BYTES for piece in pieces)
    assert len(windows) <= 2 + 3 * len(source.encode()) / min(MAX_BYTES, 160 * 4)
    assert [w.owned_start for w in windows[1:]] == [w.owned_end for w in windows[:-1]]
    covered = {at for w in windows for at in range(w.start, w.end)}
    assert all(at in covered for at, c in enumerate(source) if not c.isspace())


def test_the_overlap_must_leave_room_to_move_on() -> None:
    with pytest.raises(ValueError, match="overlap"):
        cut("a b", words=4, overlap=2)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 6), st.integers(0, 3)), max_size=30))
def test_of_two_that_overlap_the_one_named_first_stays(
    places: list[tuple[int, int, int]],
) -> None:
    ranked = [Entity(s, s + n, "x" * n, f"l{label}", 0.5) for s, n, label in places]
    kept: list[Entity] = []
    for e in ranked:
        if all(e.end <= other.start or other.end <= e.start for other in kept):
            kept.append(e)
    assert apart(ranked) == tuple(sorted(kept))


def test_merged_entities_are_flat_and_in_global_positions() -> None:
    left, right = Window(0, 10, 0, 8), Window(6, 20, 8, 20)
    merged = merge(
        [
            (left, [Entity(0, 3, "abc", "x", 0.5), Entity(8, 10, "ij", "x", 0.9)]),
            (right, [Entity(2, 6, "ijkl", "x", 0.4), Entity(3, 5, "jk", "y", 0.6)]),
        ]
    )
    assert [(e.start, e.end, e.label) for e in merged] == [(0, 3, "x"), (9, 11, "y")]
