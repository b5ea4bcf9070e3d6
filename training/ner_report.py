"""Report of an evaluation: Markdown, and one HTML file that needs no other.

The templates lie beside this file. Knows no model; every figure comes from the summary.
"""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup
from pydantic import TypeAdapter

from training.ner_plots import plot_domains, plot_errors, plot_types
from training.ner_results import DomainResult
from training.ner_summary import Provenance, Summary, summarise
from training.report_pages import page_environment

MARKDOWN, HTML, SCORES = "report.md", "report.html", "scores.json"

_SUMMARY = TypeAdapter(Summary)


def write_report(folder: Path, results: Sequence[DomainResult], provenance: Provenance) -> Summary:
    """Write both reports into `folder`, and the figures as JSON; return the figures.

    Raises:
        ValueError: there is no domain.
    """
    summary = summarise(results, provenance)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARKDOWN).write_text(render_markdown(summary), encoding="utf-8")
    (folder / HTML).write_text(render_html(summary), encoding="utf-8")
    (folder / SCORES).write_bytes(_SUMMARY.dump_json(summary, indent=1) + b"\n")
    return summary


def predictions_file(folder: Path, domain: str) -> Path:
    """Return where a report's folder keeps a domain's predictions."""
    return folder / f"predictions-{domain}.jsonl"


def render_markdown(summary: Summary) -> str:
    """Return the report as Markdown, tables only."""
    return page_environment(escape=False).get_template("ner_report.md.jinja").render(s=summary)


def render_html(summary: Summary) -> str:
    """Return the report as one HTML page with its plots."""
    template = page_environment(escape=True).get_template("ner_report.html.jinja")
    return template.render(
        s=summary,
        domains_plot=Markup(plot_domains(summary)),
        errors_plot=Markup(plot_errors(summary.domains)),
        types_plots=[Markup(plot_types(domain)) for domain in summary.domains],
    )
