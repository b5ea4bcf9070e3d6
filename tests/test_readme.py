"""The README: its requests and commands print what it shows, its settings are the ones there are.

An answer is shown with numbers rounded to two digits and hashes cut to twelve characters. What
does not agree is printed as the README would show it, ready to be pasted.
"""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.main import app
from services.settings import Limits, Settings
from tests.services.running import Running, serving
from wraner.pack_folders import DEFINITIONS_FILE, EXAMPLES_FILE, read_pack_folder
from wraner.packs import Domain, PolicySet
from wraner.weights import BaseModel

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
ADDRESS = "http://127.0.0.1:8000"
WIDTH = 100
TOLERANCE = 0.1  # other processors round bf16 otherwise, or compute in fp32
REQUEST = re.compile(r"```sh\n(curl .*?)```\n+```json\n(.*?)```", re.DOTALL)
COMMANDS = re.compile(r"```(sh|python)\n((?:(?!```).)*)```\n+```\n(.*?)```", re.DOTALL)
SCORE = re.compile(r"(?<![\w.])[01]?\.\d{1,2}(?!\w)")


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def as_shown(value: Any) -> Any:
    """Round and cut an answer as the README does."""
    if isinstance(value, dict):
        return {key: as_shown(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_shown(inner) for inner in value]
    if isinstance(value, float):
        return round(value, 2)
    return re.sub(r"([0-9a-f]{12})[0-9a-f]+", r"\1", value) if isinstance(value, str) else value


def layout(value: Any, indent: int = 0) -> str:
    """Write JSON with everything on one line that fits there."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent < WIDTH or not isinstance(value, dict | list):
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        lines = [f"{inner}{json.dumps(k)}: {layout(v, indent + 2)}" for k, v in value.items()]
    else:
        lines = [inner + layout(v, indent + 2) for v in value]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    return "\n".join([opening, ",\n".join(lines), " " * indent + closing])


def agree(shown: Any, live: Any) -> bool:
    """Compare two answers: numbers with a tolerance, everything else exactly."""
    if isinstance(shown, dict) and isinstance(live, dict):
        return list(shown) == list(live) and all(agree(shown[key], live[key]) for key in shown)
    if isinstance(shown, list) and isinstance(live, list):
        return len(shown) == len(live) and all(map(agree, shown, live))
    if isinstance(shown, float) and isinstance(live, float | int):
        return abs(shown - live) <= TOLERANCE + 1e-9
    return bool(shown == live)


def as_printed(output: str) -> str:
    """Round and cut what a command printed as the README does."""
    records = (as_record(line) if line.startswith("{") else line for line in output.splitlines())
    return "\n".join(as_shown(line.rstrip()) for line in records)


def as_record(line: str) -> str:
    return json.dumps(as_shown(json.loads(line)), ensure_ascii=False)


def agree_but_for_scores(shown: str, live: str) -> bool:
    """Compare two outputs: scores with a tolerance, everything else exactly."""
    scores, others = map(float, SCORE.findall(shown)), map(float, SCORE.findall(live))
    same_words = SCORE.split(shown) == SCORE.split(live)
    return same_words and all(map(agree, scores, others))


def run_as_shown(kind: str, command: str, url: str) -> str:
    """Run a shell's or Python's lines against a server; return all that they print."""
    here = Path(sys.executable).parent  # where `wraner` is installed
    shell = ["bash", "-ec"] if kind == "sh" else [sys.executable, "-c"]
    path = os.pathsep.join([str(here), os.environ["PATH"]])
    done = subprocess.run(
        [*shell, command.replace(ADDRESS, url)],
        cwd=ROOT,
        env={**os.environ, "PATH": path, "WRANER_URL": url, "COLUMNS": str(WIDTH)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return as_printed(done.stdout)


@pytest.fixture(scope="module")
def service(bundled_base: BaseModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("state"), bundled_base) as running:
        yield running


@pytest.mark.ray
@pytest.mark.model
def test_requests_give_the_answers_that_are_shown(service: Running) -> None:
    asked = section("Ask") + section("Move from another API")
    requests = REQUEST.findall(asked)
    assert len(requests) == asked.count("```sh\ncurl") >= 5
    differing = []
    for command, shown in requests:
        assert ADDRESS in command
        here = command.replace(ADDRESS, str(service.client.base_url).rstrip("/"))
        done = subprocess.run(here, shell=True, capture_output=True, text=True, check=True)
        live = as_shown(json.loads(done.stdout))
        if shown.strip() == "FIGURE" or not agree(json.loads(shown), live):
            differing.append(f"{command.splitlines()[0]}\n{layout(live)}")
    assert not differing, "the README should show:\n\n" + "\n\n".join(differing)


@pytest.mark.ray
@pytest.mark.model
def test_commands_print_what_is_shown(service: Running) -> None:
    url = str(service.client.base_url).rstrip("/")
    differing = []
    shown_commands = section("Command line") + section("Move from another API")
    for kind, command, shown in COMMANDS.findall(shown_commands):
        live = run_as_shown(kind, command, url)
        if not agree_but_for_scores(shown.strip(), live.strip()):
            differing.append(f"{command}\n{live}")
    assert not differing, "the README should show:\n\n" + "\n\n".join(differing)


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
