"""The README: its settings, links and packs are as it says; every command is shown with an answer.

What its requests and commands answer is compared in `tests/services/test_serve.py`.
"""

import ast
import json
import re
from pathlib import Path

import pytest

from cli.main import app
from services.settings import Limits, Settings
from tests.readme import (
    COMMANDS,
    README,
    ROOT,
    WIDTH,
    agree,
    agree_but_for_scores,
    as_printed,
    as_shown,
    layout,
    section,
)
from wraner.formats.choice import Format, read
from wraner.formats.marked import parse_marked
from wraner.pack_folders import DEFINITIONS_FILE, EXAMPLES_FILE, read_pack_folder
from wraner.packs import Domain, PolicySet, TaggedExample


def test_every_command_is_shown_with_what_it_prints() -> None:
    text = section("Command line")
    kinds = [kind for kind, _, _ in COMMANDS.findall(text)]
    assert kinds.count("sh") == text.count("```sh\n") >= 4
    assert kinds.count("python") == text.count("```python\n") == 1
    names = [one.name for one in (*app.registered_commands, *app.registered_groups)]
    assert len(names) == 10 and [name for name in names if f"wraner {name}" not in text] == []


def test_what_is_printed_is_shown_rounded_and_cut() -> None:
    printed = 'VIOLATES .74  a  \n{"score": 0.7777, "v": "0123456789abcdef"}\n'
    shown = as_printed(printed)
    assert shown == 'VIOLATES .74  a\n{"score": 0.78, "v": "0123456789ab"}'
    assert agree_but_for_scores(shown, shown.replace(".74", ".8").replace("0.78", "0.7"))
    assert not agree_but_for_scores(shown, shown.replace(".74", ".85"))
    assert not agree_but_for_scores(shown, shown.replace("a\n", "b\n"))


def test_an_answer_is_shown_rounded_cut_and_laid_out() -> None:
    answer = {"score": 0.876543, "version": "m@" + "0123456789abcdef" * 4, "n": [1, True, None]}
    shown = as_shown(answer)
    assert shown == {"score": 0.88, "version": "m@0123456789ab", "n": [1, True, None]}
    long = {"matches": [shown, shown], "empty": []}
    assert json.loads(layout(long)) == long
    assert all(len(line) <= WIDTH for line in layout(long).splitlines())
    assert agree(shown, {**shown, "score": 0.9}) and not agree(shown, {**shown, "score": 0.99})
    assert not agree(shown, {**shown, "n": [1, True]}) and not agree(shown, {"score": 0.88})


def settings_table() -> str:
    """Return the table of settings as it follows from the classes and their comments."""
    tree = ast.parse((ROOT / "services" / "settings.py").read_text())
    rows = ["| variable | default | what it sets |", "|---|---|---|"]
    for model in (Settings, Limits):
        (node,) = (n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == model.__name__)
        for field, comment in zip(node.body, node.body[1:], strict=False):
            if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
                continue
            assert isinstance(comment, ast.Expr) and isinstance(comment.value, ast.Constant)
            default = model.model_fields[field.target.id].default
            if field.target.id != "limits":  # their fields have rows of their own
                shown = f"`{default}`" if str(default) else "empty"
                name = f"`WRANER_{field.target.id.upper()}`"
                rows.append(f"| {name} | {shown} | {comment.value.value} |")
    return "\n".join(rows)


def test_the_table_of_settings_is_complete() -> None:
    table = settings_table()
    assert table in section("Settings"), "the README should have:\n\n" + table


@pytest.mark.filterwarnings("ignore")  # Ray's own
def test_every_argument_of_the_application_is_named() -> None:
    from services.app import AppArgs

    text = section("On a cluster")
    assert [name for name in AppArgs.model_fields if f"`{name}`" not in text] == []


def test_the_packs_that_are_shown_can_be_read(tmp_path: Path) -> None:
    shown = re.findall(r"```yaml\n(.*?)```.*?```json\n(.*?)```", section("Packs"), re.DOTALL)
    for number, (definitions, examples) in enumerate(shown):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / DEFINITIONS_FILE).write_text(definitions)
        (folder / EXAMPLES_FILE).write_text(examples)
    packs = [read_pack_folder(folder) for folder in sorted(tmp_path.iterdir())]
    assert [(type(p), len(p.examples)) for p in packs] == [(Domain, 1), (PolicySet, 1)]


def test_marked_text_is_shown_as_the_example_that_it_is(tmp_path: Path) -> None:
    marked, line = re.findall(
        r"examples:\n.*?```\n(# One.*?)```.*?```json\n(.*?)```", section("Packs"), re.DOTALL
    )[0]
    file = tmp_path / "examples.txt"
    file.write_text(marked)
    with file.open("rb") as content:
        sown, named = read(content, Format.MARKED, name="README.md")
    shown = TaggedExample.model_validate_json(line)
    assert (sown.text, sown.entities) == (shown.text, shown.entities)
    assert f"# id = {named.id}\n" in marked
    assert sown == parse_marked("Sow the [carrots | plant] in [April | month].")


def test_the_two_commands_are_those_of_the_makefile() -> None:
    rules = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = set(re.findall(r"^    make (\w+)|`make (\w+)", README, re.MULTILINE))
    assert {one or other for one, other in named} <= set(rules)
    assert {"serve", "test"} <= set(rules)


@pytest.mark.parametrize("page", ["README.md", "benchmarks/FIGURES.md"])
def test_links_lead_to_files_and_headings(page: str) -> None:
    text = (ROOT / page).read_text()
    for target, heading in re.findall(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)", text):
        file = (ROOT / page).parent / target if target else ROOT / page
        assert file.exists(), target
        if heading:
            titles = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", t).lower().replace(" ", "-") for t in titles}
            assert heading in anchors, f"{target}#{heading}"
