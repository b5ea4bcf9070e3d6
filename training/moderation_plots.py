"""Plots of an evaluation of moderation, as SVG for a page. Knows no report."""

from collections.abc import Iterator, Sequence
from itertools import cycle
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.moderation_summary import SystemSummary
from training.plot_style import COLOURS, STYLE, WIDTH_IN, svg

_SIZE_IN = (WIDTH_IN / 2, 4.6)
_LINES = (
    ("right", "o", "-"),
    ("both", "s", "--"),
    ("spurious", "^", "--"),
    ("label", "D", "--"),
    ("missed", "v", "--"),
    ("border", "P", "--"),
)
"""Colour, mark and line of each system, the pipeline's first."""


def plot_reliability(systems: Sequence[SystemSummary]) -> str:
    """Return the share of hateful rows over the mean score of each bin; the diagonal is right.

    Of systems with the same scores the first is drawn.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=_SIZE_IN, layout="constrained")
        axes = figure.add_subplot()
        axes.plot([0, 1], [0, 1], color=COLOURS["soft"], linewidth=1, linestyle=":")
        drawn = set()
        for system, look in _looks(systems):
            if system.all.bins not in drawn:
                places = [b.score for b in system.all.bins]
                axes.plot(places, [b.hateful for b in system.all.bins], label=system.name, **look)
            drawn.add(system.all.bins)
        axes.set_ylim(-0.02, 1.02)
        _finish(axes, "mean score", "share that is hateful")
        return svg(figure, "Share of hateful rows over the mean score, by system")


def plot_coverage(systems: Sequence[SystemSummary]) -> str:
    """Return the share of failures over the share of rows that are decided, the surest first."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=_SIZE_IN, layout="constrained")
        axes = figure.add_subplot()
        for system, look in _looks(systems):
            places = [c.coverage for c in system.all.coverage]
            axes.plot(places, [c.risk for c in system.all.coverage], label=system.name, **look)
        axes.set_ylim(bottom=0)
        _finish(axes, "share of rows that is decided", "share of these that fails")
        return svg(figure, "Share of failures over the share of rows decided, by system")


def _looks(
    systems: Sequence[SystemSummary],
) -> Iterator[tuple[SystemSummary, dict[str, Any]]]:
    for number, (system, (colour, mark, line)) in enumerate(zip(systems, cycle(_LINES))):
        look = {
            "color": COLOURS[colour],
            "marker": mark,
            "linestyle": line,
            "markersize": 4.5 if number == 0 else 3.5,
            "linewidth": 2.2 if number == 0 else 1.2,
        }
        yield system, look


def _finish(axes: Axes, across: str, up: str) -> None:
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel(across)
    axes.set_ylabel(up)
    axes.tick_params(length=0)
    axes.grid()
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(-0.02, 1),
        ncols=3,
        frameon=False,
        handlelength=1.6,
        columnspacing=1.0,
        fontsize=9,
    )
