"""Sent: how many examples are stored of those that are sent in pieces."""

from collections.abc import Callable

from cli.failures import say


class Sent:
    """Counts pieces as they are stored, and passes the counts on."""

    def __init__(self, counted: Callable[[int], None]) -> None:
        self._counted = counted
        self._count = 0

    def __call__(self, count: int) -> None:
        """Count a piece."""
        self._count += count
        self._counted(count)

    def admit(self, name: str, way_out: str) -> None:
        """Say what was stored before something went wrong, if anything was."""
        if self._count:
            say(f"{name}: the first {self._count} examples were stored before this; {way_out}")
