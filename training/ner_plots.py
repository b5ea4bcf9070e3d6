"""Plots of an evaluation, as SVG that takes its colours and font from the page around it.

What is drawn in a colour of `_COLOURS` becomes a CSS variable with that name, so that a page's dark
mode reaches it; on its own a plot is drawn for light paper. Knows no report.
"""

import html
import io
import re
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

from training.bootstrap import Interval
from training.ner_scores import ContentErrors
from training.ner_summary import DomainSummary, Summary
from wraner.metrics import SpanCounts

_COLOURS = {
    "card": "#fefefe",
    "ink": "#1c2530",
    "soft": "#66717f",
    "line": "#d9dee5",
    "right": "#1b7f79",
    "right-soft": "#8cc9c4",
    "label": "#d98a04",
    "border": "#ecc94b",
    "both": "#c2501e",
    "missed": "#9aa5b1",
    "spurious": "#7a5cc4",
}
_WIDTH_IN = 8.6
_POINTS = 10
_STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "wraner",
    "text.parse_math": False,
    "font.size": _POINTS,
    "text.color": _COLOURS["ink"],
    "axes.edgecolor": _COLOURS["line"],
    "axes.labelcolor": _COLOURS["soft"],
    "xtick.color": _COLOURS["soft"],
    "ytick.color": _COLOURS["soft"],
    "xtick.labelcolor": _COLOURS["ink"],
    "ytick.labelcolor": _COLOURS["ink"],
    "grid.color": _COLOURS["line"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
}
_ERRORS = (
    ("right", "right", "right"),
    ("wrong_border", "wrong border", "border"),
    ("wrong_label", "wrong label", "label"),
    ("both_wrong", "both wrong", "both"),
    ("missed", "missed", "missed"),
    ("spurious", "spurious", "spurious"),
)
"""Fields of `ContentErrors`, what they are called, and their colours."""


def plot_domains(summary: Summary) -> str:
    """Return bars of F1 for each domain and their mean, with intervals."""
    columns = [(d.domain, d.f1) for d in summary.domains]
    if len(columns) > 1:
        columns.append(("average", summary.average))
    series = [("all types", "right", [c.all for _, c in columns])]
    if summary.has_leftover:
        series.append(("without misc", "right-soft", [c.no_leftover for _, c in columns]))
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH_IN, 3.4), layout="constrained")
        axes = figure.add_subplot()
        for number, (name, colour, intervals) in enumerate(series):
            offset = (number - (len(series) - 1) / 2) * 0.38
            _bars(axes, [i + offset for i in range(len(columns))], intervals, colour=colour)
            axes.bar([0], [0], color=_COLOURS[colour], label=name)
        axes.set_xticks(range(len(columns)), [name for name, _ in columns])
        axes.set_xlim(-0.6, len(columns) - 0.4)
        axes.set_ylim(0, 108)
        axes.set_yticks(range(0, 101, 20))
        axes.set_ylabel("F1")
        axes.tick_params(length=0)
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        if len(columns) > len(summary.domains):
            axes.axvline(len(columns) - 1.5, color=_COLOURS["line"])
        _legend(axes, columns=len(series))
        return _svg(figure, "F1 of each domain with its 95 % interval")


def _bars(
    axes: Axes, places: Sequence[float], intervals: Sequence[Interval | None], *, colour: str
) -> None:
    for place, interval in zip(places, intervals, strict=True):
        if interval is None:
            axes.text(place, 1, "n/a", ha="center", va="bottom", color=_COLOURS["soft"])
            continue
        value, low, high = (100 * x for x in (interval.value, interval.low, interval.high))
        axes.bar([place], [value], width=0.36, color=_COLOURS[colour])
        axes.plot([place, place], [low, high], color=_COLOURS["ink"], linewidth=1.2)
        axes.text(place, max(value, high) + 1.2, f"{value:.1f}", ha="center", va="bottom")


def plot_types(domain: DomainSummary) -> str:
    """Return a bar of F1 for each type of a domain, with its number of gold mentions."""
    types = domain.types
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH_IN, 0.8 + 0.27 * len(types)), layout="constrained")
        axes = figure.add_subplot()
        for row, one in enumerate(types):
            _type_row(axes, row, one.counts)
        axes.set_yticks(range(len(types)), [f"{one.type} · {one.counts.gold}" for one in types])
        axes.set_xlim(0, 103)
        axes.set_ylim(len(types) - 0.5, -0.5)
        axes.set_xticks(range(0, 101, 20))
        axes.tick_params(length=0)
        axes.grid(axis="x")
        axes.spines["bottom"].set_visible(False)
        _legend(axes, columns=3)
        return _svg(figure, f"F1 of each type of {domain.domain}")


def _type_row(axes: Axes, row: int, counts: SpanCounts) -> None:
    f1, precision, recall = (100 * x for x in (counts.f1, counts.precision, counts.recall))
    names = ("F1", "precision", "recall") if row == 0 else ("", "", "")  # once in the legend
    axes.barh([row], [f1], height=0.68, color=_COLOURS["right"], label=names[0])
    marks: dict[str, Any] = {
        "linestyle": "none",
        "markersize": 5.5,
        "markeredgecolor": _COLOURS["ink"],
    }
    for value, fill, name in (
        (precision, _COLOURS["card"], names[1]),
        (recall, _COLOURS["ink"], names[2]),
    ):
        axes.plot([value], [row], marker="o", markerfacecolor=fill, label=name, **marks)
    shown = f"{f1:.1f}" if counts.gold or counts.found else "n/a"
    axes.text(1.6, row, shown, va="center")


def plot_errors(domains: Sequence[DomainSummary]) -> str:
    """Return for each domain a bar parted into what is right and each kind of error."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(_WIDTH_IN, 1.0 + 0.42 * len(domains)), layout="constrained")
        axes = figure.add_subplot()
        for name, colour in ((name, colour) for _, name, colour in _ERRORS):
            axes.barh([0], [0], color=_COLOURS[colour], label=name)
        for row, domain in enumerate(domains):
            _stack(axes, row, domain.errors)
        axes.set_yticks(range(len(domains)), [d.domain for d in domains])
        axes.set_xlim(0, 100)
        axes.set_ylim(len(domains) - 0.5, -0.5)
        axes.set_xlabel("% of gold and spurious mentions")
        axes.tick_params(length=0)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        _legend(axes, columns=len(_ERRORS))
        return _svg(figure, "What was right and what went wrong, in each domain")


def _stack(axes: Axes, row: int, errors: ContentErrors) -> None:
    counts = [getattr(errors, field) for field, _, _ in _ERRORS]
    whole = sum(counts)
    left = 0.0
    for (_, _, colour), count in zip(_ERRORS, counts, strict=True):
        share = 100 * count / whole if whole else 0.0
        axes.barh([row], [share], left=left, height=0.7, color=_COLOURS[colour])
        if share >= 4:
            axes.text(left + share / 2, row, f"{share:.0f}", ha="center", va="center")
        left += share


def _legend(axes: Axes, *, columns: int) -> None:
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        frameon=False,
        handlelength=0.9,
        handleheight=0.9,
        columnspacing=1.4,
        borderaxespad=0.3,
    )


def _svg(figure: Figure, title: str) -> str:
    """Return a figure as an SVG element named `title`, colours and font taken from the page."""
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None})
    svg = drawn.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<(metadata|style)[ >].*?</\1>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' id="[a-zA-Z0-9.]+_\d+"', "", svg)  # the same in every plot of a page
    svg = re.sub(r"font-family: [^;\"]+", "font-family: var(--font, sans-serif)", svg)
    for name, colour in _COLOURS.items():
        svg = svg.replace(colour, f"var(--{name}, {colour})")
    return svg.replace("<svg", f'<svg role="img" aria-label="{html.escape(title)}"', 1)
