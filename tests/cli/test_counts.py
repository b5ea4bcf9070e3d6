"""One of a thing is not several."""

from cli.counts import counted


def test_only_one_is_singular() -> None:
    assert [counted(n, "example") for n in (0, 1, 2)] == ["0 examples", "1 example", "2 examples"]
