import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.ner_examples import PROVENANCE, result, sentence
from training.ner_plots import plot_domains, plot_errors, plot_types
from training.ner_report import HTML, MARKDOWN, SCORES, render_html, render_markdown, write_report
from training.ner_results import DomainResult
from training.ner_summary import summarise

TRIP = result(
    sentence("Ann saw Rome", [(0, 3, "person"), (8, 12, "city")], [(0, 3, "person")]),
    sentence("It is May", [(6, 9, "rest")], [(6, 9, "city")], also_in="train", dropped=1),
)
OTHER = result(
    sentence("In Bonn", [(3, 7, "city")], [(3, 7, "city")]), domain="<tours> & $\\frac{'$"
)
BOTH = [TRIP, OTHER]


def test_figures_are_those_of_the_scores() -> None:
    trip, other = summarise(BOTH, PROVENANCE).domains
    shown = [trip.f1.all, trip.f1.no_leftover, trip.f1.no_repeats, other.f1.all]
    assert [round(i.value, 3) for i in shown if i] == [0.4, 0.5, 0.667, 1.0]
    assert (trip.repeats, trip.counts.gold, trip.errors.wrong_label) == (1, 3, 1)
    average = summarise(BOTH, PROVENANCE).average
    assert average.all is not None and average.all.value == pytest.approx(0.7)
    with pytest.raises(ValueError, match="at least one domain"):
        summarise([], PROVENANCE)


def test_a_column_without_sentences_has_no_figure() -> None:
    repeated = result(sentence("In Bonn", [(3, 7, "city")], [], also_in="train"))
    summary = summarise([repeated, OTHER], PROVENANCE)
    assert summary.domains[0].f1.no_repeats is None and summary.average.no_repeats is None
    assert "| n/a |" in render_markdown(summary)
    assert ">n/a<" in render_html(summary)


def rows(markdown: str) -> list[list[str]]:
    lines = [line for line in markdown.splitlines() if line.startswith("|")]
    return [re.split(r"(?<!\\)\|", line) for line in lines]


@pytest.mark.parametrize("results", [BOTH, [OTHER], [replace(TRIP, leftover=())]])
def test_markdown_tables_are_whole(results: list[DomainResult]) -> None:
    markdown = render_markdown(summarise(results, PROVENANCE))
    table: list[list[str]] = []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            table.append(re.split(r"(?<!\\)\|", line))
            continue
        assert len(table) != 1 and len({len(row) for row in table}) <= 1, table
        table = []
    assert ("without misc" in markdown) == bool(results[0].leftover)
    assert "a\\|b" in markdown and "\n\n\n" not in markdown


def test_the_page_stands_alone_and_names_are_data() -> None:
    page = render_html(summarise(BOTH, PROVENANCE))
    assert not re.search(r'(src|href)="(?!#)', page.replace("xlink:href", "href"))
    assert not re.search(r"@import|url\((?!#)", page)
    assert "&lt;tours&gt;" in page and "<tours>" not in page
    assert "wraner evaluate ner --data &lt;data&gt;" in page
    assert page.count("<svg") == 4
    for name in set(re.findall(r"var\(--([\w-]+)", page)):
        assert page.count(f"--{name}:") >= 1, name


def test_plots_are_whole_svg_that_takes_the_pages_colours() -> None:
    summary = summarise(BOTH, PROVENANCE)
    plots = [plot_domains(summary), plot_errors(summary.domains), plot_types(summary.domains[1])]
    for plot in plots:
        element = ElementTree.fromstring(plot)
        assert element.tag.endswith("svg") and element.get("aria-label")
        assert "var(--ink" in plot and "var(--font" in plot and ' id="figure' not in plot
    assert plots[0] == plot_domains(summary)
    drawn = "".join(ElementTree.fromstring(plots[0]).itertext())
    assert "40.0" in drawn and "average" in drawn and "without misc" in drawn


def test_what_should_not_be_is_said_first() -> None:
    good = summarise(BOTH, PROVENANCE)
    assert "do not count" not in render_markdown(good) + render_html(good)
    assert "A sample" not in render_markdown(good) + render_html(good)
    found = replace(TRIP.sentences[0].found[0], text="Bob")
    sentences = (replace(TRIP.sentences[0], found=(found,)),)
    bad = summarise([replace(TRIP, sentences=sentences)], PROVENANCE)
    assert bad.impossible == 1
    for page in (render_markdown(bad), render_html(bad)):
        assert "1 entity breaks" in page and "A sample: 1 of 2 sentences" in page


def test_a_folder_holds_both_reports_and_the_figures(tmp_path: Path) -> None:
    summary = write_report(tmp_path / "new" / "report", BOTH, PROVENANCE)
    folder = tmp_path / "new" / "report"
    assert sorted(p.name for p in folder.iterdir()) == sorted([HTML, MARKDOWN, SCORES])
    assert (folder / MARKDOWN).read_text() == render_markdown(summary)
    scores = json.loads((folder / SCORES).read_bytes())
    assert scores["domains"][0]["f1"]["all"]["value"] == pytest.approx(0.4)
    assert scores["provenance"]["command"] == PROVENANCE.command
