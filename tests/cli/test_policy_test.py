"""`wraner policies test`: a policy set of one's own, measured on labelled texts."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from cli import progress
from tests.cli.conftest import RULES, Served, Wraner, json_lines, pack_folder
from wraner.engine import ScoreRequest, Scores
from wraner.fusion import SHORTLIST
from wraner.packs import Policy, PolicySet

ADS = Policy(id="no-ads", title="Ads", definition="Sells.")
LINES: list[dict[str, Any]] = [
    {"text": "bad watches", "violates": ["no-spam"]},
    {"text": "a fine\ntrick\x1b to sell " + "watches " * 30, "violates": ["no-spam"]},
    {"text": "cheap WATCHES", "violates": ["no-spam"]},  # settled by the example
    {"text": "It rains.", "complies": "all"},
    {"text": "too bad it rains", "complies": ["no-spam"]},
    {"text": "nobody knows"},
]


@pytest.fixture
def labelled(tmp_path: Path, rules: PolicySet) -> str:
    return written(tmp_path, *LINES)


def written(folder: Path, *lines: dict[str, Any]) -> str:
    return str(json_lines(folder / "labelled.jsonl", *lines))


def records(out: str) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


def test_a_row_a_text_and_the_figures(wraner: Wraner, labelled: str) -> None:
    ran = wraner("policies", "test", "rules", labelled)
    assert ran.code == 0, ran.err
    *rows, last = records(ran.out)
    assert [(row["line"], row["decision"], row["wrong"]) for row in rows] == [
        (1, "violates", None),
        (2, "allowed", "let pass"),
        (4, "allowed", None),
        (5, "violates", "flagged"),
    ]
    keys = ["line", "text", "violates", "complies", "decision", "score", "matches", "wrong"]
    assert list(rows[0]) == keys and rows[0]["matches"][0]["policy"] == "no-spam"
    summary = last["summary"]
    assert summary["breaching"] == {"violates": 1, "review": 0, "allowed": 1}
    assert summary["harmless"] == {"violates": 1, "review": 0, "allowed": 1}
    assert [summary[n]["value"] for n in ("let_pass", "flagged", "auroc")] == [0.5, 0.5, 0.5]
    assert summary["right_policy_first"] == 1 and summary["refused"] == 0
    counts = {"breaching": 2, "found": 1, "keeping": 2, "matched_all_the_same": 1}
    assert summary["policies"] == [{"policy": "no-spam", **counts}]
    assert ran.err.splitlines() == [
        "wraner: left out 1 text (line 3): each in the words of an example of the set, which "
        "settles it",
        "wraner: left out 1 text (line 6): each names neither what it breaches (violates) nor what "
        "it keeps",
    ]


def test_the_view_is_a_table_with_failures_where_asked(wraner: Wraner, labelled: str) -> None:
    ran = wraner("policies", "test", "rules", labelled, "--format", "view")
    table = [line.split() for line in ran.out.splitlines()]
    assert table[0] == ["texts", "violates", "for", "review", "allowed"]
    assert table[1:3] == [["breaching", "2", "1", "0", "1"], ["harmless", "2", "1", "0", "1"]]
    assert "breaching texts let pass: .50 (95 %: .09 to .91)" in ran.out
    assert "a right policy comes first in 1 of 2" in ran.out
    assert table[-1] == ["no-spam", "2", "1", "2", "1"] and "line" not in ran.out
    ran = wraner("policies", "test", "rules", labelled, "--format", "view", "--failures")
    first, breaches, second, named, gap, *rest = ran.out.splitlines()
    assert first.startswith("line 2: let pass  ALLOWED .05  a fine trick␛ to sell watches")
    assert first.endswith("…") and breaches == "    breaches no-spam"
    assert second.startswith("line 5: flagged  VIOLATES .95  too bad") and gap == ""
    assert named == "    named no-spam .95" and rest[0].startswith("texts")
    rows = records(wraner("policies", "test", "rules", labelled, "--failures").out)
    assert [row.get("line") for row in rows] == [2, 5, None]


def test_another_policy_is_a_failure_too(wraner: Wraner, tmp_path: Path) -> None:
    both = RULES.model_copy(update={"policies": (*RULES.policies, ADS)})
    folder = pack_folder(tmp_path / "both", both)
    file = written(tmp_path, {"text": "bad", "violates": ["no-ads"], "complies": ["no-spam"]})
    ran = wraner("policies", "test", folder, file)
    row, last = records(ran.out)
    named = {match["policy"] for match in row["matches"]}
    assert named == {"no-spam", "no-ads"} and row["wrong"] is None
    summary = last["summary"]
    assert summary["auroc"] is None and summary["flagged"] is None
    ads, spam = summary["policies"]
    assert (ads["policy"], ads["found"]) == ("no-ads", 1)
    assert (spam["keeping"], spam["matched_all_the_same"]) == (1, 1)
    policies = (both.policies[0], ADS.model_copy(update={"threshold": 1.0}))
    folder = pack_folder(tmp_path / "strict", both.model_copy(update={"policies": policies}))
    row, last = records(wraner("policies", "test", folder, file).out)
    assert row["wrong"] == "other policy" and last["summary"]["right_policy_first"] == 0
    shown = wraner("policies", "test", folder, file, "--format", "view").out
    assert "AUROC" not in shown and "harmless texts flagged" not in shown


def test_options_reach_the_server(
    wraner: Wraner, rules: PolicySet, labelled: str, tmp_path: Path
) -> None:
    ran = wraner("policies", "test", "rules", labelled, "--threshold", "1")
    assert records(ran.out)[-1]["summary"]["breaching"]["violates"] == 0
    many = tuple(ADS.model_copy(update={"id": f"no-{n}"}) for n in range(SHORTLIST + 3))
    folder = pack_folder(tmp_path / "many", PolicySet(policies=many))
    file = written(tmp_path, {"text": "bad", "violates": ["no-0"]})
    for options, judged in (((), SHORTLIST), (("--exhaustive",), SHORTLIST + 3)):
        row, _ = records(wraner("policies", "test", folder, file, *options).out)
        assert len(row["matches"]) == judged


def test_partly_labelled_texts_are_counted_apart(wraner: Wraner, tmp_path: Path) -> None:
    both = RULES.model_copy(update={"policies": (*RULES.policies, ADS)})
    strict = both.policies[0].model_copy(update={"threshold": 1.0})
    folder = pack_folder(tmp_path / "both", both.model_copy(update={"policies": (strict, ADS)}))
    lines: list[dict[str, Any]] = [
        {"text": "bad a", "complies": ["no-spam"]},  # matches no-ads alone
        {"text": "bad b", "complies": ["no-ads"]},
        {"text": "bad c", "complies": "all"},
        {"text": "bad d", "violates": ["no-ads"]},
    ]
    file = written(tmp_path, *lines)
    *rows, last = records(wraner("policies", "test", folder, file).out)
    assert [row["wrong"] for row in rows] == [None, "flagged", "flagged", None]
    summary = last["summary"]
    assert summary["partly_labelled"] == {"violates": 2, "review": 0, "allowed": 0}
    assert sum(summary["harmless"].values()) == 1 and summary["flagged"]["value"] == 1
    assert summary["auroc"] == {"value": 0.5, "low": None, "high": None}
    view = wraner("policies", "test", folder, file, "--format", "view").out
    assert view.splitlines()[3].split() == ["partly", "labelled", "2", "2", "0", "0"]
    assert "AUROC of the texts' scores: .50\n" in view


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([{"text": "a"}], "expected labelled texts"),
        ([], "was: no line"),
        ([LINES[2]], "was: left out 1 text (line 1): each in the words of an example"),
        (
            [LINES[0], {"text": "Bad, watches!", "complies": "all"}],
            ":2: expected one label for the same words, was: 'no-spam' violated on line 1 and",
        ),
        ([LINES[0], {"text": "a", "violates": ["spam"]}], ":2: violates/0: policy 'spam' is not"),
        ([{"text": "a", "violates": ["no-spam"], "complies": "all"}], ":1: complies: a text"),
        ([{"text": "a", "label": 1}], ":1: label: "),
        ([{"text": "a", "entities": []}], "wraner domains examples add"),
    ],
)
def test_what_measures_nothing_is_refused_before_anything_is_asked(
    wraner: Wraner,
    served: Served,
    rules: PolicySet,
    tmp_path: Path,
    lines: list[dict[str, Any]],
    words: str,
) -> None:
    ran = wraner("policies", "test", "rules", written(tmp_path, *lines))
    assert (ran.code, ran.out) == (1, "") and words in ran.err, ran.err
    assert served.asked == []


def test_a_text_that_is_refused_is_named(wraner: Wraner, rules: PolicySet, tmp_path: Path) -> None:
    file = written(tmp_path, LINES[0], {"text": "x" * 20_001, "complies": "all"})
    ran = wraner("policies", "test", "rules", file)
    row, refused, last = records(ran.out)
    assert ran.code == 1 and row["line"] == 1 and refused["line"] == 2
    assert last["summary"]["refused"] == 1 and "WRANER_MAX_CHARACTERS" in ran.err
    assert "1 text refused" in wraner("policies", "test", "rules", file, "--format", "view").out


@pytest.mark.usefixtures("rules")
def test_a_failure_midway_has_no_figures(
    wraner: Wraner, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = served.engine.score

    async def failing(requests: Sequence[ScoreRequest]) -> list[Scores]:
        if any("text 20" in request.prompt.text for request in requests):
            raise RuntimeError("gone")
        return await score(requests)

    monkeypatch.setattr(served.engine, "score", failing)
    lines: list[dict[str, Any]] = [
        {"text": f"text {number}", "complies": "all"} for number in range(1, 31)
    ]
    ran = wraner("policies", "test", "rules", written(tmp_path, *lines))
    written_before = [row["line"] for row in records(ran.out)]  # a call takes 16 texts at most
    assert ran.code == 3 and written_before == list(range(1, len(written_before) + 1))
    assert 0 < len(written_before) < 20 and "--skip" not in ran.err


def test_an_unknown_set_is_not_found(wraner: Wraner, labelled: str) -> None:
    assert wraner("policies", "test", "nope", labelled).code == 4


def test_progress_counts_the_texts_that_are_asked_about(
    wraner: Wraner, rules: PolicySet, labelled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    totals: list[int | None] = []
    counting = progress.counting

    def noted(noun: str, total: int | None, *, shown: bool = True) -> Any:
        totals.append(total)
        return counting(noun, total, shown=shown)

    monkeypatch.setattr(progress, "counting", noted)
    Path(labelled).write_text(Path(labelled).read_text() + "\n\n")
    assert wraner("policies", "test", "rules", labelled).code == 0 and totals == [4]
