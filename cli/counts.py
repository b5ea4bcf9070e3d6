"""Counts: a number and the thing it counts, in words. Knows no thing but by its name."""


def counted(count: int, noun: str) -> str:
    """Return `1 example`, `2 examples`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
