"""Pages of reports: templates that lie beside this file, and how figures are written in them.

Knows no figure by name.
"""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from training.bootstrap import Interval


def page_environment(*, escape: bool) -> Environment:
    """Return what renders templates; `escape` for HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=escape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "points": _points,
        "range": _range,
        "share": share,
        "share_range": _share_range,
        "percent": lambda share: f"{100 * share:.1f}",
        "short": lambda identity: identity[:12],
        "cell": _cell,
    }
    return environment


def _cell(words: str) -> str:
    """Return words that stay in one cell of a Markdown table, whatever they are."""
    return " ".join(words.split()).replace("|", "\\|").replace("<", "&lt;")


def _points(interval: Interval | None) -> str:
    return "n/a" if interval is None else f"{100 * interval.value:.1f}"


def _range(interval: Interval | None) -> str:
    return "" if interval is None else f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"


def share(value: Interval | float | None) -> str:
    """Return a share as published rates are written: ``.222``."""
    number = value.value if isinstance(value, Interval) else value
    return "n/a" if number is None else _digits(number)


def _share_range(interval: Interval | None) -> str:
    return "" if interval is None else f"{_digits(interval.low)} to {_digits(interval.high)}"


def _digits(share: float) -> str:
    return f"{share:.3f}".removeprefix("0") if share < 1 else f"{share:.2f}"
