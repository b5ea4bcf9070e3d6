"""Plots of an evaluation of extraction, as SVG for a page. Knows no report."""

from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.bootstrap import Interval
from training.ner_scores import ContentErrors
from training.ner_summary import DomainSummary, Summary
from training.plot_style import COLOURS, STYLE, WIDTH_IN, legend, svg
from wraner.metrics import SpanCounts

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
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 3.4), layout="constrained")
        axes = figure.add_subplot()
        for number, (name, colour, intervals) in enumerate(series):
            offset = (number - (len(series) - 1) / 2) * 0.38
            _bars(axes, [i + offset for i in range(len(columns))], intervals, colour=colour)
            axes.bar([0], [0], color=COLOURS[colour], label=name)
        axes.set_xticks(range(len(columns)), [name for name, _ in columns])
        axes.set_xlim(-0.6, len(columns) - 0.4)
        axes.set_ylim(0, 108)
        axes.set_yticks(range(0, 101, 20))
        axes.set_ylabel("F1")
        axes.tick_params(length=0)
        axes.grid(axis="y")
        axes.spines["left"].set_visible(False)
        if len(columns) > len(summary.domains):
            axes.axvline(len(columns) - 1.5, color=COLOURS["line"])
        legend(axes, columns=len(series))
        return svg(figure, "F1 of each domain with its 95 % interval")


def _bars(
    axes: Axes, places: Sequence[float], intervals: Sequence[Interval | None], *, colour: str
) -> None:
    for place, interval in zip(places, intervals, strict=True):
        if interval is None:
            axes.text(place, 1, "n/a", ha="center", va="bottom", color=COLOURS["soft"])
            continue
        value, low, high = (100 * x for x in (interval.value, interval.low, interval.high))
        axes.bar([place], [value], width=0.36, color=COLOURS[colour])
        axes.plot([place, place], [low, high], color=COLOURS["ink"], linewidth=1.2)
        axes.text(place, max(value, high) + 1.2, f"{value:.1f}", ha="center", va="bottom")


def plot_types(domain: DomainSummary) -> str:
    """Return a bar of F1 for each type of a domain, with its number of gold mentions."""
    types = domain.types
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 0.8 + 0.27 * len(types)), layout="constrained")
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
        legend(axes, columns=3)
        return svg(figure, f"F1 of each type of {domain.domain}")


def _type_row(axes: Axes, row: int, counts: SpanCounts) -> None:
    f1, precision, recall = (100 * x for x in (counts.f1, counts.precision, counts.recall))
    names = ("F1", "precision", "recall") if row == 0 else ("", "", "")  # once in the legend
    axes.barh([row], [f1], height=0.68, color=COLOURS["right"], label=names[0])
    marks: dict[str, Any] = {
        "linestyle": "none",
        "markersize": 5.5,
        "markeredgecolor": COLOURS["ink"],
    }
    for value, fill, name in (
        (precision, COLOURS["card"], names[1]),
        (recall, COLOURS["ink"], names[2]),
    ):
        axes.plot([value], [row], marker="o", markerfacecolor=fill, label=name, **marks)
    shown = f"{f1:.1f}" if counts.gold or counts.found else "n/a"
    axes.text(1.6, row, shown, va="center")


def plot_errors(domains: Sequence[DomainSummary]) -> str:
    """Return for each domain a bar parted into what is right and each kind of error."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_IN, 1.0 + 0.42 * len(domains)), layout="constrained")
        axes = figure.add_subplot()
        for name, colour in ((name, colour) for _, name, colour in _ERRORS):
            axes.barh([0], [0], color=COLOURS[colour], label=name)
        for row, domain in enumerate(domains):
            _stack(axes, row, domain.errors)
        axes.set_yticks(range(len(domains)), [d.domain for d in domains])
        axes.set_xlim(0, 100)
        axes.set_ylim(len(domains) - 0.5, -0.5)
        axes.set_xlabel("% of gold and spurious mentions")
        axes.tick_params(length=0)
        for side in ("left", "bottom"):
            axes.spines[side].set_visible(False)
        legend(axes, columns=len(_ERRORS))
        return svg(figure, "What was right and what went wrong, in each domain")


def _stack(axes: Axes, row: int, errors: ContentErrors) -> None:
    counts = [getattr(errors, field) for field, _, _ in _ERRORS]
    whole = sum(counts)
    left = 0.0
    for (_, _, colour), count in zip(_ERRORS, counts, strict=True):
        share = 100 * count / whole if whole else 0.0
        axes.barh([row], [share], left=left, height=0.7, color=COLOURS[colour])
        if share >= 4:
            axes.text(left + share / 2, row, f"{share:.0f}", ha="center", va="center")
        left += share
