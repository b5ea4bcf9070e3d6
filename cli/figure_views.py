"""Figure views: tables of counts and values with intervals, as the tests of packs show them.

Knows neither what is counted nor how.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from cli import terminal
from cli.options import Layout
from cli.records import Records
from cli.views import number
from training.bootstrap import Interval


def show_summary(layout: Layout, record: Mapping[str, Any], *parts: Table | Sequence[str]) -> None:
    """Show figures: as a record, or to people as tables and lines, an empty line between parts."""
    if layout is Layout.JSONL:
        Records(terminal.lines_out()).put({"summary": record})
        return
    console = terminal.out()
    for place, part in enumerate(parts):
        if place:
            console.print()
        for line in [part] if isinstance(part, Table) else part:
            console.print(line, soft_wrap=not isinstance(line, Table))


def counts_table(first: str, *others: str) -> Table:
    """Return an empty table of figures, which stand right, about what the first column names."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold dim")
    table.add_column(first, overflow="fold")
    for column in others:
        table.add_column(column, justify="right")
    return table


def in_words(interval: Interval) -> str:
    """Return a value with its interval, `.50 (95 %: .09 to .91)`."""
    if (ends := _ends(interval)) is None:
        return number(interval.value)
    low, high = map(number, ends)
    return f"{number(interval.value)} (95 %: {low} to {high})"


def recorded(interval: Interval) -> dict[str, float | None]:
    """Return a value with its interval for a record."""
    low, high = _ends(interval) or (None, None)
    return {"value": interval.value, "low": low, "high": high}


def _ends(interval: Interval) -> tuple[float, float] | None:
    """Return the ends; None of a point, which tells of too few texts and not of certainty."""
    return None if interval.low == interval.high else (interval.low, interval.high)
