import json
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from tests.training.moderation_examples import POLICIES, PROVENANCE, prediction, row, system
from training.moderation_evaluation import ModerationRun
from training.moderation_plots import plot_coverage, plot_reliability
from training.moderation_report import (
    HTML,
    MARKDOWN,
    SCORES,
    render_html,
    render_markdown,
    write_moderation_report,
)
from training.moderation_rows import TRAIN, AskedRows
from training.moderation_summary import Evaluated, ModerationSummary, summarise_moderation
from training.ner_summary import Fact

ROWS = (
    row(1, "banish", True, text="A secret Zorvian text."),
    row(2, "mock", True, clean=False),
    row(3, "mock", False, kind=2),
    row(4, "accuse", False),
)
SAID = (
    prediction((1,), ("banish", 0.9), ("mock", 0.2), order="mock banish"),
    prediction((2,), ("accuse", 0.3), order="accuse"),
    prediction((3,), ("mock", 0.7)),
    prediction((4,), ("mock", 0.1)),
)
OTHER = system(0.4, 0.8, 0.2, name="<other> & |co|")


def summary(*, rows: tuple[int, ...] = (0, 1, 2, 3), kinds: bool = True) -> ModerationSummary:
    asked = AskedRows(Path("test.csv"), tuple(ROWS[n] for n in rows), 4, kinds)
    run = ModerationRun(SAID, "p" * 64, "i" * 64, 2.0)
    systems = (system(0.9, 0.3, 0.7, 0.1), OTHER)
    return summarise_moderation(Evaluated(asked, POLICIES, run, systems), PROVENANCE)


def test_texts_of_the_training_file_are_not_said_to_be_none_of_its_own() -> None:
    found = summary()
    of_train = replace(found, asked=replace(found.asked, file=TRAIN))
    for render in (render_markdown, render_html):
        assert "not stand in the training file" in render(found)
        assert "not stand in the training file" not in render(of_train)
        assert "stand apart" in render(found) and "stand apart" not in render(of_train)


def test_no_word_tears_a_table() -> None:
    provenance = replace(PROVENANCE, settings=(Fact("terms", "CC BY\nsee <NOTICE> | all\n"),))
    page = render_markdown(replace(summary(), provenance=provenance))
    assert "| terms | CC BY see &lt;NOTICE> \\| all |\n" in page


def test_figures_are_those_of_the_scores() -> None:
    found = summary()
    own, other = found.systems
    rates = own.all.failures
    assert [r.value for r in (rates.hateful, rates.other, rates.overall) if r] == [0.5] * 3
    assert (own.all.cases, own.all.hateful, own.all.unanswered) == (4, 2, 0)
    assert (own.clean.cases, own.clean.hateful, own.clean.unanswered) == (3, 1, 0)
    assert (other.all.cases, other.all.unanswered, other.clean.unanswered) == (3, 1, 1)
    assert [t.tier for t in own.all.tiers] == [1, 2, None]
    assert (found.matching.texts, found.clean_matching.texts) == (2, 1)
    asked = found.asked
    assert (asked.rows, asked.texts, asked.clean, asked.no_kind) == (4, 4, 3, 1)
    assert not found.calibrated and not found.is_sample


@pytest.mark.parametrize(
    "shown", [summary(), summary(rows=(0,)), summary(rows=(1, 3), kinds=False)]
)
def test_markdown_tables_are_whole(shown: ModerationSummary) -> None:
    markdown = render_markdown(shown)
    table: list[list[str]] = []
    for line in [*markdown.splitlines(), ""]:
        if line.startswith("|"):
            table.append(re.split(r"(?<!\\)\|", line))
            continue
        assert len(table) != 1 and len({len(cells) for cells in table}) <= 1, table
        table = []
    assert "\n\n\n" not in markdown
    assert ("A sample" in markdown) == shown.is_sample
    assert ("Left out: the kinds" in markdown) == (shown.asked.no_kind is None)


def test_the_page_stands_alone_and_shows_names_but_no_text() -> None:
    page, markdown = render_html(summary()), render_markdown(summary())
    assert not re.search(r'(src|href)="(?!#)', page.replace("xlink:href", "href"))
    assert not re.search(r"@import|url\((?!#)", page)
    assert "&lt;other&gt;" in page and "<other>" not in page
    assert "secret" not in page + markdown
    assert page.count("<svg") == 2
    for name in set(re.findall(r"var\(--([\w-]+)", page)):
        assert page.count(f"--{name}:") >= 1, name


def test_cells_are_as_hot_as_what_fails() -> None:
    page = render_html(summary())
    cells = re.findall(r'class="heat" style="--share: (\d+)%">([\d.]+)<', page)
    assert {("0", ".000"), ("40", ".500"), ("80", "1.00")} <= set(cells)
    assert all(round(80 * float(value)) == int(share) for share, value in cells)


def test_policies_stand_once_for_all_rows_and_once_for_clean_texts() -> None:
    shown = summary()
    maps = re.split("<h2>Policies", render_html(shown))[1:]
    for found, part in zip(maps, (shown.systems[0].all, shown.systems[0].clean), strict=True):
        for policy in part.policies:
            assert f"<tr><td>{policy.policy}</td><td>{policy.hateful_cases}</td>" in found
    assert [p.hateful_cases for p in shown.systems[0].all.policies] != [
        p.hateful_cases for p in shown.systems[0].clean.policies
    ]


def test_figures_that_are_not_there_are_said_to_be_missing() -> None:
    page = render_html(summary(rows=(0,), kinds=False))
    assert ">n/a<" in page and "Left out: the kinds" in page and "A sample: 1 of 4 rows" in page


def test_plots_are_whole_svg_that_takes_the_pages_colours() -> None:
    shown = summary()
    for plot in (plot_reliability(shown.systems), plot_coverage(shown.systems)):
        element = ElementTree.fromstring(plot)
        assert element.tag.endswith("svg") and element.get("aria-label")
        assert "var(--right" in plot and "var(--both" in plot and ' id="figure' not in plot
        assert "wraner" in "".join(element.itertext())
    twin = replace(shown.systems[0], name="twin")
    drawn = plot_reliability([*shown.systems, twin])
    assert "twin" not in "".join(ElementTree.fromstring(drawn).itertext())


def test_a_folder_holds_both_reports_and_the_figures(tmp_path: Path) -> None:
    folder, shown = tmp_path / "new" / "report", summary()
    write_moderation_report(folder, shown)
    assert sorted(p.name for p in folder.iterdir()) == sorted([HTML, MARKDOWN, SCORES])
    assert (folder / MARKDOWN).read_text() == render_markdown(shown)
    scores = json.loads((folder / SCORES).read_bytes())
    assert scores["systems"][0]["all"]["failures"]["hateful"]["value"] == 0.5
    assert scores["provenance"]["command"] == PROVENANCE.command
