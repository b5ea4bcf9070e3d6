"""`wraner domains test`: a domain of one's own, measured on tagged texts."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CITIES, RULES, Served, Wraner, json_lines, pack_folder
from tests.cli.test_tagged import line

# The engine takes every word with a capital for a city, and is .9 sure.
LINES = [
    line("we saw Hull", (7, 11, "city")),
    line("it rains."),  # in the words of an example
    line("Ann lives near Ely Downs", (0, 3, "person"), (15, 18, "city"), (19, 24, "city")),
    line("nothing here"),
    line("in ulm with Bo", (3, 6, "city")),
    line("We saw Hull.", (7, 11, "city")),
]


@pytest.fixture
def tagged(tmp_path: Path) -> str:
    return written(tmp_path, *LINES)


def written(folder: Path, *lines: dict[str, Any]) -> str:
    return str(json_lines(folder / "tagged.jsonl", *lines))


def records(out: str) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.usefixtures("cities")
def test_a_record_a_text_and_the_figures(wraner: Wraner, tagged: str) -> None:
    ran = wraner("domains", "test", "cities", tagged)
    assert ran.code == 0, ran.err
    *rows, last = records(ran.out)
    assert [(row["line"], row["right"]) for row in rows] == [
        (1, True),
        (3, False),
        (4, True),
        (5, False),
    ]
    assert list(rows[0]) == ["line", "text", "entities", "found", "right"]
    assert rows[0]["entities"] == [{"start": 7, "end": 11, "label": "city"}]
    assert rows[0]["found"] == [{"start": 7, "end": 11, "label": "city", "score": 0.9}]
    summary = last["summary"]
    f1 = summary.pop("f1")
    assert f1["value"] == 0.6 and 0 <= f1["low"] < 0.6 < f1["high"] <= 1
    assert summary == {
        "texts": 4,
        "right_texts": 2,
        "tagged": 5,
        "found": 5,
        "right": 3,
        "precision": 0.6,
        "recall": 0.6,
        "types": [
            {"type": "city", "tagged": 4, "found": 5, "right": 3}
            | {"precision": 0.6, "recall": 0.75, "f1": pytest.approx(2 / 3)},
            {"type": "person", "tagged": 1, "found": 0, "right": 0}
            | {"precision": None, "recall": 0.0, "f1": 0.0},
        ],
        "errors": {"wrong_label": 1, "wrong_border": 0, "both_wrong": 0, "missed": 1}
        | {"spurious": 1},
        "refused": 0,
    }
    assert ran.err.splitlines() == [
        "wraner: left out 1 text (line 2): each in the words of an example of the domain, which "
        "would show the answer",
        "wraner: left out 1 text (line 6): each in the words of an earlier line, which counts",
    ]


@pytest.mark.usefixtures("cities")
def test_the_view_is_a_table_with_failures_where_asked(wraner: Wraner, tagged: str) -> None:
    ran = wraner("domains", "test", "cities", tagged, "--format", "view")
    table = [row.split() for row in ran.out.splitlines()]
    assert table[0] == ["entity", "type", "tagged", "found", "right", "precision", "recall", "F1"]
    assert table[1] == ["city", "4", "5", "3", ".60", ".75", ".67"]
    assert table[2] == ["person", "1", "0", "0", "-", ".00", ".00"]
    assert table[3] == ["total", "5", "5", "3", ".60", ".60", ".60"]
    gap, f1, anatomy, whole = ran.out.splitlines()[4:]
    assert gap == "" and f1.startswith("F1 .60 (95 %: ")
    assert anatomy == "3 of 5 tagged entities are right; 1 wrong label, 1 missed, 1 spurious"
    assert whole == "2 of 4 texts without an error"
    ran = wraner("domains", "test", "cities", tagged, "--format", "view", "--failures")
    assert ran.out.splitlines()[:7] == [
        "line 3: [Ann | city .90] lives near [Ely | city .90] [Downs | city .90]",
        "    wrong label   Ann | city, tagged person",
        "line 5: in ulm with [Bo | city .90]",
        "    missed        ulm | city",
        "    spurious      Bo | city",
        "",
        "entity type  tagged  found  right  precision  recall   F1",
    ]
    rows = records(wraner("domains", "test", "cities", tagged, "--failures").out)
    assert [row.get("line") for row in rows] == [3, 5, None]


def test_a_domain_in_a_folder_is_sent_along(wraner: Wraner, tagged: str, tmp_path: Path) -> None:
    folder = pack_folder(tmp_path / "cities", CITIES)
    *rows, last = records(wraner("domains", "test", folder, tagged).out)
    assert len(rows) == 4 and last["summary"]["right"] == 3


@pytest.mark.usefixtures("cities")
def test_texts_without_entities_are_measured_too(wraner: Wraner, tmp_path: Path) -> None:
    file = written(tmp_path, {"text": "nothing"}, line("nor here"))
    *rows, last = records(wraner("domains", "test", "cities", file).out)
    assert [row["right"] for row in rows] == [True, True]
    summary = last["summary"]
    assert (summary["f1"], summary["recall"], summary["types"]) == (None, None, [])
    view = wraner("domains", "test", "cities", file, "--format", "view").out
    assert view.splitlines()[1].split() == ["total", "0", "0", "0", "-", "-", "-"]
    assert "\n\n0 of 0 tagged entities are right; nothing else found\n2 of 2 texts" in view


@pytest.mark.usefixtures("cities")
def test_no_interval_is_shown_of_a_point(wraner: Wraner, tmp_path: Path) -> None:
    file = written(tmp_path, LINES[0])
    _, last = records(wraner("domains", "test", "cities", file).out)
    assert last["summary"]["f1"] == {"value": 1.0, "low": None, "high": None}
    view = wraner("domains", "test", "cities", file, "--format", "view").out
    assert "F1 1.00\n1 of 1 tagged entity is right; nothing else found\n1 of 1 text " in view


@pytest.mark.usefixtures("cities")
def test_options_reach_the_server(
    wraner: Wraner, served: Served, tagged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = wraner("domains", "test", "cities", tagged, "--min-score", ".95")
    assert records(ran.out)[-1]["summary"]["found"] == 0
    shown: list[int] = []
    generate = served.engine.generate

    async def noted(requests: Any) -> Any:
        shown.extend(len(request.prompt.examples) for request in requests)
        return await generate(requests)

    monkeypatch.setattr(served.engine, "generate", noted)
    for options, examples in ((), 2), (("--k", "1"), 1):
        shown.clear()
        assert wraner("domains", "test", "cities", tagged, *options).code == 0
        assert set(shown) == {examples}


@pytest.mark.usefixtures("cities")
@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "was: no line"),
        ([LINES[1]], "was: left out 1 text (line 1): each in the words of an example"),
        ([LINES[0], line("we saw Hull!")], ":2: expected the same entities in the same words"),
        ([LINES[0], line("Rome", (0, 4, "town"))], ":2: entities/0/label: label 'town' is not"),
        ([{"text": "a", "violates": ["x"]}], "wraner policies examples add"),
    ],
)
def test_what_measures_nothing_is_refused_before_anything_is_asked(
    wraner: Wraner, served: Served, tmp_path: Path, lines: list[dict[str, Any]], words: str
) -> None:
    ran = wraner("domains", "test", "cities", written(tmp_path, *lines))
    assert (ran.code, ran.out) == (1, "") and words in ran.err, ran.err
    assert served.asked == []


@pytest.mark.usefixtures("cities")
def test_a_text_that_is_refused_is_named(wraner: Wraner, tmp_path: Path) -> None:
    file = written(tmp_path, LINES[0], {"text": "x" * 20_001})
    ran = wraner("domains", "test", "cities", file)
    row, refused, last = records(ran.out)
    assert ran.code == 1 and row["line"] == 1 and refused["line"] == 2
    assert last["summary"]["refused"] == 1 and "WRANER_MAX_CHARACTERS" in ran.err
    assert "1 text refused" in wraner("domains", "test", "cities", file, "--format", "view").out


def test_each_kind_of_pack_is_called_by_its_name(
    wraner: Wraner, tagged: str, tmp_path: Path
) -> None:
    rules = pack_folder(tmp_path / "rules", RULES)
    ran = wraner("domains", "test", rules, tagged)
    assert ran.code == 2 and "expected a domain, was: a policy set" in ran.err
    ran = wraner("domains", "test", "./none", tagged)
    assert ran.code == 2 and "expected a stored domain's name or a folder with pack" in ran.err
    ran = wraner("domains", "test", "none", tagged)
    assert ran.code == 4 and "no domain is stored" in ran.err
    ran = wraner("policies", "test", "./none", tagged)
    assert ran.code == 2 and "expected a stored policy set's name or a folder" in ran.err
