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


def found_in(source: str, mentions: list[tuple[int, int]]) -> list[tuple[Window, list[Entity]]]:
    """What each window finds of the mentions that lie in it whole, and of others the part in it."""
    return [
        (
            w,
            [
                Entity(max(s, w.start) - w.start, min(e, w.end) - w.start, "", "x", 0.5)
                for s, e in mentions
                if s < w.end and w.start < e
            ],
        )
        for w in cut(source, words=96, overlap=24)
    ]


@pytest.mark.parametrize("place", [(83, 100), (84, 100), (71, 90), (10, 12), (118, 120)])
def test_a_mention_that_one_window_saw_cut_is_the_other_windows(place: tuple[int, int]) -> None:
    merged = merge(found_in("文" * 140, [place]))
    assert [(e.start, e.end) for e in merged] == [place]


def test_a_mention_whose_beginning_no_window_owns_as_it_found_it_is_kept() -> None:
    left, right = cut("w " * 120, words=96, overlap=24)
    border = left.owned_end
    late = Entity(border, border + 5, "", "x", 0.6)
    early = Entity(border - 2 - right.start, border + 5 - right.start, "", "x", 0.9)
    (kept,) = merge([(left, [late]), (right, [early])])
    assert (kept.start, kept.end) == (border - 2, border + 5)
    assert merge([(left, [late]), (right, [])]) == ()
    assert merge([(left, []), (right, [early])]) == ()


def test_what_two_windows_found_alike_is_as_its_owner_said() -> None:
    left, right = cut("文" * 120, words=96, overlap=24)
    at_the_edge = Entity(80, 96, "", "x", 0.3)
    again = Entity(80 - right.start, 96 - right.start, "", "y", 0.9)
    assert merge([(left, [at_the_edge]), (right, [again])]) == (at_the_edge,)


@given(st.sets(st.integers(0, 99)), st.integers(0, 3))
def test_where_all_windows_agree_each_mention_is_found_once(numbers: set[int], gap: int) -> None:
    mentions = [(3 * n, 3 * n + 3 - min(gap, 2)) for n in sorted(numbers)]
    merged = merge(found_in("文" * 300, mentions))
    assert [(e.start, e.end) for e in merged] == mentions
