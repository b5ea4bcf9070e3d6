"""Report of an evaluation of moderation: Markdown, and one HTML file that needs no other.

The templates lie beside this file. Shows no text that was moderated: they are offensive. Knows no
model; every figure comes from the summary.
"""

from pathlib import Path

from markupsafe import Markup
from pydantic import TypeAdapter

from training.moderation_plots import plot_coverage, plot_reliability
from training.moderation_summary import ModerationSummary
from training.report_pages import page_environment

MARKDOWN, HTML, SCORES, PREDICTIONS = (
    "report.md",
    "report.html",
    "scores.json",
    "predictions.jsonl",
)

_SUMMARY = TypeAdapter(ModerationSummary)


def write_moderation_report(folder: Path, summary: ModerationSummary) -> None:
    """Write both reports into `folder`, and the figures as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKDOWN).write_text(render_markdown(summary), encoding="utf-8")
    (folder / HTML).write_text(render_html(summary), encoding="utf-8")
    (folder / SCORES).write_bytes(_SUMMARY.dump_json(summary, indent=1) + b"\n")


def render_markdown(summary: ModerationSummary) -> str:
    """Return the report as Markdown, tables only."""
    return (
        page_environment(escape=False).get_template("moderation_report.md.jinja").render(s=summary)
    )


def render_html(summary: ModerationSummary) -> str:
    """Return the report as one HTML page with its plots."""
    template = page_environment(escape=True).get_template("moderation_report.html.jinja")
    return template.render(
        s=summary,
        reliability_plot=Markup(plot_reliability(summary.systems)),
        coverage_plot=Markup(plot_coverage(summary.systems)),
    )
