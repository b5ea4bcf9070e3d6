import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from index.recent import Recent


def test_the_least_recently_used_goes_first() -> None:
    recent = Recent[str](limit_bytes=6, size_of=len)
    made: list[str] = []

    def ask(key: str, value: str) -> str:
        return recent.get(key, lambda: made.append(key) or value)  # type: ignore[func-returns-value]

    for key in ("a", "b", "a", "c", "a", "b"):
        assert ask(key, key * 3) == key * 3
    assert made == ["a", "b", "c", "b"]


def test_one_is_kept_however_large() -> None:
    recent = Recent[str](limit_bytes=1, size_of=len)
    first = recent.get("a", lambda: "large")
    assert recent.get("a", lambda: "other") is first


def test_no_more_are_kept_than_file_handles_last_for() -> None:
    recent, made = Recent[str](limit_bytes=10**9, size_of=len), list[int]()

    def ask(number: int) -> None:
        recent.get(str(number), lambda: made.append(number) or "small")  # type: ignore[func-returns-value]

    for number in (*range(257), 256, 1, 0):
        ask(number)
    assert made == [*range(257), 0]


def test_of_several_that_ask_at_once_one_makes_it() -> None:
    recent, together, made = Recent[str](limit_bytes=9, size_of=len), Barrier(4), list[str]()

    def make() -> str:
        made.append("x")
        time.sleep(0.05)
        return "made"

    def ask() -> str:
        together.wait(10)
        return recent.get("a", make)

    with ThreadPoolExecutor(4) as pool:
        found = [asked.result() for asked in [pool.submit(ask) for _ in range(4)]]
    assert made == ["x"] and all(one is found[0] for one in found)


def test_what_could_not_be_made_is_made_by_the_next() -> None:
    recent = Recent[str](limit_bytes=9, size_of=len)

    def fail() -> str:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        recent.get("a", fail)
    assert recent.get("a", lambda: "now") == "now"
