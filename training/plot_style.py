"""Style of plots: SVG that takes its colours and font from the page around it.

What is drawn in a colour of `COLOURS` becomes a CSS variable with that name, so that a page's dark
mode reaches it; on its own a plot is drawn for light paper. Knows no figure that it draws.
"""

import html
import io
import re
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

COLOURS = {
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
"""What a page names as CSS variables, with the colours for light paper."""

WIDTH_IN = 8.6
"""Width of a plot as wide as the page."""
_POINTS = 10
STYLE: dict[RcKeyType, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "wraner",
    "text.parse_math": False,
    "font.size": _POINTS,
    "text.color": COLOURS["ink"],
    "axes.edgecolor": COLOURS["line"],
    "axes.labelcolor": COLOURS["soft"],
    "xtick.color": COLOURS["soft"],
    "ytick.color": COLOURS["soft"],
    "xtick.labelcolor": COLOURS["ink"],
    "ytick.labelcolor": COLOURS["ink"],
    "grid.color": COLOURS["line"],
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
}
"""Settings of matplotlib under which plots are drawn."""


def legend(axes: Axes, *, columns: int) -> None:
    """Put the legend above the axes, in so many columns."""
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


def svg(figure: Figure, title: str) -> str:
    """Return a figure as an SVG element named `title`, colours and font taken from the page."""
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg", transparent=True, metadata={"Date": None})
    element = drawn.getvalue()
    element = element[element.index("<svg") :]
    element = re.sub(r"<(metadata|style)[ >].*?</\1>", "", element, flags=re.DOTALL)
    element = re.sub(r' id="[a-zA-Z0-9.]+_\d+"', "", element)  # the same in every plot of a page
    element = re.sub(r"font-family: [^;\"]+", "font-family: var(--font, sans-serif)", element)
    for name, colour in COLOURS.items():
        element = element.replace(colour, f"var(--{name}, {colour})")
    return element.replace("<svg", f'<svg role="img" aria-label="{html.escape(title)}"', 1)
