"""`wraner evaluate`: what is asked, what is written, what is refused before a model is loaded."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli import evaluation
from cli.main import main
from tests.cli.conftest import ClosedEngine
from tests.wraner.random_adapters import hollow_adapter
from training.ner_results import read_predictions
from wraner.adapters import Task
from wraner.errors import NotFound
from wraner.weights import BaseModel

BASE = BaseModel(Path("none"), "tiny", "0" * 64)

SHEET = """
description: Trips.
types:
  - {label: loc, name: city, definition: a town or city}
  - {label: misc, name: rest, definition: any other name}
"""


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "sheets").mkdir()
    for name in ("trips", "tours"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for split, city in (("train", "Rome"), ("dev", "Bonn"), ("test", "Hull")):
            text = f"in O\n{city} B-loc\n\nMay B-misc\ncame O\n"
            (tmp_path / "data" / name / f"{split}.txt").write_text(text)
        (tmp_path / "sheets" / f"{name}.yaml").write_text(SHEET)
    return tmp_path / "data"


def ner(data: Path, *more: str, domains: str = "trips") -> int:
    sheets = str(data.parent / "sheets")
    base = ["evaluate", "ner", "--data", str(data), "--domains", domains, "--sheets", sheets]
    return main([*base, *more])


def test_a_report_is_written_and_f1_shown(
    data: Path, engine: ClosedEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = data.parent / "out"
    assert ner(data, "--out", str(folder), "--adapter", "abc", domains="trips,tours") == 0
    shown = capsys.readouterr()
    # Bonn is found; May is found too, as a city
    assert [line.split()[:3] for line in shown.out.splitlines()[1:]] == [
        ["trips", "2", "50.0"],
        ["tours", "2", "50.0"],
        ["average", "4", "50.0"],
    ]
    assert "trips: 2 texts," in shown.err and str(folder / "report.html") in shown.err
    assert sorted(p.name for p in folder.iterdir()) == [
        "predictions-tours.jsonl",
        "predictions-trips.jsonl",
        "report.html",
        "report.md",
        "scores.json",
    ]
    found = read_predictions(folder / "predictions-trips.jsonl")
    assert [[e.text for e in s.found] for s in found] == [["Bonn"], ["May"]]
    assert engine.closed


def test_the_report_says_how_it_was_made(
    data: Path, engine: ClosedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = data.parent / "out"
    identity = hollow_adapter(BASE, data.parent / "tunings", "{}", task=Task.WORDS)
    monkeypatch.setattr("cli.evaluation.word_tuning", lambda _: data.parent / "tunings" / identity)
    options = ("--split", "test", "--texts", "1", "--seed", "3", "--k", "2")
    assert ner(data, *options, "--out", str(folder)) == 0
    scores = json.loads((folder / "scores.json").read_bytes())
    (domain,) = scores["domains"]
    assert (domain["split"], domain["sentences"], domain["whole"]) == ("test", 1, 2)
    made = scores["provenance"]
    assert made["command"].endswith(
        f"--domains trips --split test --texts 1 --seed 3 --sheets {data.parent}/sheets --k 2"
    )
    facts = {fact["name"]: fact["value"] for fact in made["settings"] + made["versions"]}
    assert facts["model"] == "fake@0" and facts["adapter"] == "none: the base model alone"
    assert facts["word encoder"] == f"bundled, tuned: {identity[:16]}"
    assert facts[f"{data}/trips/test.txt"].startswith("sha256 ")


def test_left_out_the_settings_name_adapter_and_folder(
    data: Path, engine: ClosedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRANER_EXTRACT_ADAPTER", "f0" * 32)
    assert ner(data) == 0 == ner(data, "--adapter", "none")
    reports = sorted((data.parent / "state" / "evaluations").glob("*/report.md"))
    pinned, without = (report.read_text() for report in reports)
    assert f"| adapter | {'f0' * 32} |" in pinned
    assert "| adapter | none: the base model alone |" in without


def test_an_adapter_of_another_task_is_not_measured(
    data: Path, engine: ClosedEngine, capsys: pytest.CaptureFixture[str]
) -> None:
    judge = hollow_adapter(BASE, data.parent / "state" / "adapters", "{}", task=Task.MODERATION)
    assert ner(data, "--adapter", judge) == 3
    assert f"expected an adapter for ner, was: {judge[:16]}" in capsys.readouterr().err


def test_an_entity_that_cannot_be_ends_in_an_error(
    data: Path, engine: ClosedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = evaluation.evaluate

    async def spoilt(*given: Any, **named: Any) -> Any:
        from dataclasses import replace

        result = await real(*given, **named)
        first, *others = result.sentences
        found = tuple(replace(e, text="elsewhere") for e in first.found)
        return replace(result, sentences=(replace(first, found=found), *others))

    monkeypatch.setattr(evaluation, "evaluate", spoilt)
    assert ner(data) == 1


def test_what_goes_wrong_is_said_and_finished_domains_are_kept(
    data: Path,
    engine: ClosedEngine,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real, folder = evaluation.evaluate, data.parent / "out"

    async def first_only(extractor: Any, domain: Any, *given: Any, **named: Any) -> Any:
        if domain.name == "tours":
            raise NotFound("there is no such adapter")
        return await real(extractor, domain, *given, **named)

    monkeypatch.setattr(evaluation, "evaluate", first_only)
    assert ner(data, "--out", str(folder), domains="trips,tours") == 4
    err = capsys.readouterr().err
    assert "no such adapter" in err and "tours: 0 texts" not in err
    assert [p.name for p in folder.iterdir()] == ["predictions-trips.jsonl"]
    assert engine.closed


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--domains", "nowhere"), 2, "expected folders in .* (tours, trips), was: 'nowhere'"),
        (("--domains", "../data/trips"), 2, "was: '../data/trips'"),
        (("--domains", "trips,trips"), 2, "each once"),
        (("--domains", ""), 2, "each once"),
        (("--split", "train"), 2, "'train'"),
        (("--out", "DATA"), 2, "a new or empty folder"),
        (("--sheets", "DATA"), 1, "trips.yaml"),
    ],
)
def test_what_cannot_be_asked_is_refused_at_once(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, str],
    code: int,
    words: str,
) -> None:
    def heavy(*_: object, **__: object) -> None:
        raise AssertionError("nothing heavy is needed")

    monkeypatch.setattr(evaluation, "load_engine", heavy)
    option, value = options
    assert ner(data, option, value.replace("DATA", str(data))) == code
    err = capsys.readouterr().err
    assert all(part in err for part in words.split(" .* ")), err
