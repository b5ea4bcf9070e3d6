import pytest

from wraner import trimming


def test_what_is_free_is_given_back_where_the_c_library_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def malloc_trim(left: int) -> int:
        asked.append(left)
        return 1

    monkeypatch.setattr(trimming, "_malloc_trim", lambda: malloc_trim)
    assert trimming.give_back() and asked == [0]
    monkeypatch.setattr(trimming, "_malloc_trim", lambda: None)
    assert not trimming.give_back()
