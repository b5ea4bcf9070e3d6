import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.leaks import HeldOut
from wraner.chunks import chunk

TEXTS = st.lists(
    st.lists(st.sampled_from(["a", "B", "b", "c", "-", "."]), min_size=1, max_size=7).map(" ".join),
    max_size=6,
)


def words(text: str) -> list[str]:
    return [c.text.lower() for c in chunk(text) if c.text.isalnum()]


def leaks(text: str, held_out: str, n: int) -> bool:
    """Compare every stretch with every other."""
    left, right = words(text), words(held_out)
    if len(left) < n or len(right) < n:
        return left == right and bool(left)
    starts = ((i, j) for i in range(len(left) - n + 1) for j in range(len(right) - n + 1))
    return any(left[i : i + n] == right[j : j + n] for i, j in starts)


@given(TEXTS, TEXTS, st.integers(1, 4))
def test_the_same_fall_out_as_by_comparing_everything(
    texts: list[str], held_out: list[str], n: int
) -> None:
    found = HeldOut(held_out, n)
    assert [found.leaks(t) for t in texts] == [any(leaks(t, h, n) for h in held_out) for t in texts]


@pytest.mark.parametrize(
    ("text", "leak"),
    [
        ("He said: the old mill by the river burned down!", True),
        ("The old mill by the river BURNED", False),
        ("old mill by the river burned down twice", False),
        ("Rain again.", True),
        ("Rain again today.", False),
        ("...", False),
    ],
)
def test_eight_words_in_a_row_or_all_of_a_shorter_text(text: str, leak: bool) -> None:
    held_out = ["The old mill by the river burned down", "rain, again", "?!"]
    assert HeldOut(held_out).leaks(text) == leak


def test_a_run_of_no_words_is_refused() -> None:
    with pytest.raises(ValueError, match="n=0"):
        HeldOut([], 0)
