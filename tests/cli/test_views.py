"""What people see at a terminal."""

import io
import re

import pytest
import typer
from rich.console import Console

from cli import terminal
from cli.failures import WrongUse
from cli.options import Layout
from cli.texts import Place, Text
from cli.views import ExtractionView, Palette, VerdictView, number, shown_as_is
from wraner.client.replies import Extraction, Verdict

TEXT = Text(Place(1, 1), "Ann met Bo\r in Hull.")
FOUND = Extraction.model_validate(
    {
        "entities": [
            {"start": 0, "end": 3, "text": "Ann", "label": "person", "score": 0.914},
            {"start": 8, "end": 11, "text": "Bo\r", "label": "person", "score": 1.0},
            {"start": 15, "end": 19, "text": "Hull", "label": "city", "score": 0.5},
        ],
        "neighbours": [],
        "coverage": {"characters": 20, "windows": 1, "truncated": False},
    }
)


def seen(**options: object) -> str:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, markup=False, **options)  # type: ignore[arg-type]
    ExtractionView(console).write(TEXT, FOUND)
    return out.getvalue()


def test_entities_stand_in_colours_of_their_labels() -> None:
    shown = seen(color_system="256")
    assert shown.count("48;5;117m") >= 2 and "48;5;156m" in shown
    assert "Ann" in shown and "·person" in shown and "·.91" in shown and "·1.00" in shown
    assert "\r" not in shown and "Bo␍" in shown


@pytest.mark.parametrize(
    "options", [{"color_system": "256", "no_color": True}, {"color_system": None}]
)
def test_without_colours_the_same_is_said_in_brackets(options: dict[str, object]) -> None:
    shown = seen(**options)
    assert shown.startswith("[Ann | person .91] met [Bo␍ | person 1.00] in [Hull | city .50].")


def test_no_color_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[38" not in seen(color_system="256") and "[Ann | person" in seen()


def test_labels_keep_their_colours_and_many_have_one_each() -> None:
    palette = Palette()
    styles = {label: palette[label] for label in "abcdefghijklmn"}
    assert len(set(styles.values())) == 14 and palette["a"] == styles["a"]


@pytest.mark.parametrize("width", [30, 60, 200])
def test_a_verdict_fits_any_width(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, color_system="256", width=width)
    match = {
        "policy": "exclude-expel", "title": "Calling to expel or ban a group", "tier": 3,
        "score": 0.7, "neighbours": [], "evidence": [{"start": 0, "end": 8}],
    }  # fmt: skip
    coverage = {
        "characters": 30, "windows": 1, "truncated": False,
        "policies_judged": ["exclude-expel"], "policies_skipped": 0,
    }  # fmt: skip
    verdict = {
        "decision": "violates", "flagged": True, "score": 0.7, "calibrated": False,
        "matches": [match], "coverage": coverage,
    }  # fmt: skip
    text = Text(Place(1, 1), "Zorvians must leave this town.")
    VerdictView(console).write(text, Verdict.model_validate(verdict))
    lines = re.sub(r"\x1b\[[0-9;]*m", "", out.getvalue()).splitlines()
    assert max(map(len, lines)) <= width
    shown = out.getvalue()
    assert "VIOLATES" in shown and "exclude-expel" in shown and "48;5;160m" in shown
    assert "\x1b[1;4mZorvians" in shown


def test_nothing_commands_the_terminal_and_positions_stay() -> None:
    text = "".join(map(chr, range(0x110))) + "😀"
    shown = shown_as_is(text)
    assert len(shown) == len(text) and shown.endswith("😀")
    assert not any((ord(c) < 0x20 and c not in "\t\n") or 0x7F <= ord(c) < 0xA0 for c in shown)
    assert (number(0.005), number(1.0), number(0.126)) == (".01", "1.00", ".13")


@pytest.mark.parametrize("options", [{}, {"no_color": True}])
def test_names_of_labels_and_policies_command_nothing(options: dict[str, object]) -> None:
    bell = "\x1b]0;owned\x07"
    entity = FOUND.entities[0].model_copy(update={"label": bell})
    coverage = FOUND.coverage.model_dump() | {"policies_judged": [], "policies_skipped": 0}
    match = {"policy": bell, "title": bell, "score": 0.9, "neighbours": [], "evidence": []}
    verdict = {"decision": "violates", "flagged": True, "score": 0.9, "calibrated": True}
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=80, markup=False, **options)  # type: ignore[arg-type]
    ExtractionView(console).write(TEXT, FOUND.model_copy(update={"entities": (entity,)}))
    whole = verdict | {"matches": [match | {"tier": None}], "coverage": coverage}
    VerdictView(console).write(TEXT, Verdict.model_validate(whole))
    assert "owned" in out.getvalue()
    assert "\x07" not in out.getvalue() and "\x1b]" not in out.getvalue()


def test_where_results_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout", io.StringIO())
    assert terminal.layout(None) is Layout.JSONL and terminal.layout(Layout.VIEW) is Layout.VIEW
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    assert terminal.layout(None) is Layout.VIEW and terminal.layout(Layout.JSONL) is Layout.JSONL


@pytest.mark.parametrize(("answer", "goes_on"), [("y", True), ("n", False), ("", False)])
def test_people_are_asked(monkeypatch: pytest.MonkeyPatch, answer: str, goes_on: bool) -> None:
    class Typed(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Typed())
    monkeypatch.setattr("typer.confirm", lambda question, err: answer == "y")
    if goes_on:
        terminal.confirm("Sure?", yes=False)
    else:
        with pytest.raises(WrongUse, match="nothing was changed"):
            terminal.confirm("Sure?", yes=False)
    terminal.confirm("Sure?", yes=True)

    def left(question: str, err: bool) -> bool:
        raise typer.Abort

    monkeypatch.setattr("typer.confirm", left)
    with pytest.raises(KeyboardInterrupt):
        terminal.confirm("Sure?", yes=False)
