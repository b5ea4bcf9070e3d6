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
