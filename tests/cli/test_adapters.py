"""`wraner adapters`: what is stored, and which of it answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.main import main
from services import word_promotion
from tests.wraner.random_adapters import hollow_adapter
from wraner.adapters import CONFIG, WEIGHTS, Task
from wraner.promotions import current, promote
from wraner.weights import BaseModel

BASE = BaseModel(Path("none"), "tiny", "0" * 64)


@pytest.fixture
def adapters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("STATE_DIR", "PACKS_DIR", "ADAPTERS_DIR"):
        monkeypatch.setenv(f"WRANER_{name}", str(tmp_path))
    monkeypatch.delenv("WRANER_EXTRACT_ADAPTER", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr("cli.adapters.sha256_of", lambda _: BASE.sha256)
    return tmp_path / "adapters"


@pytest.fixture
def ran(capfdbinary: pytest.CaptureFixture[bytes]) -> Any:
    """Run the command; return its exit code, output and messages."""

    def run(*arguments: str) -> tuple[int, str, str]:
        code = main(["adapters", *arguments])
        out, err = capfdbinary.readouterr()
        return code, out.decode(), err.decode()

    return run


def test_an_adapter_of_another_base_than_serves_is_not_promoted(adapters: Path, ran: Any) -> None:
    other = hollow_adapter(BaseModel(Path("none"), "larger", "1" * 64), adapters, "1")
    code, _, said = ran("promote", other)
    assert code == 1 and current(adapters, Task.NER) == ""
    assert "expected an adapter of the base model that serves, bundled" in said
    assert "of larger" in said and "WRANER_BASE_MODEL" in said


def test_adapters_are_listed_promoted_and_rolled_back(adapters: Path, ran: Any) -> None:
    assert ran("list") == (0, "", "")
    metrics = {"dev": {"f1": 0.41234, "command": "x"}, "seen": True}
    first = hollow_adapter(BASE, adapters, "1", metrics=metrics)
    second = hollow_adapter(BASE, adapters, "2", created="2026-03-01", forced=True)
    code, _, said = ran("promote", first[:8])
    assert code == 0 and said == (
        f"wraner: ner: {first[:12]} answers now, the base model alone before\n"
    )
    assert ran("promote", second)[0] == 0 and current(adapters, Task.NER) == second
    records = [json.loads(line) for line in ran("list")[1].splitlines()]
    assert [(r["sha256"], r["current"]) for r in records] == [(first, False), (second, True)]
    shown = ran("list", "--format", "view")[1].splitlines()
    assert shown[1].split()[:2] == [first[:12], "ner"] and shown[1].endswith("dev.f1 0.4123")
    assert shown[2].split()[:3] == ["*", second[:12], "ner,"]
    code, _, said = ran("rollback", "ner")
    assert code == 0 and first[:12] in said and current(adapters, Task.NER) == first
    assert ran("rollback", "ner")[0] == 0 and current(adapters, Task.NER) == ""
    assert ran("rollback", "ner")[0] == 4


def test_a_promotion_of_what_the_gate_refused_says_so(adapters: Path, ran: Any) -> None:
    decision = "insufficient evidence: towns +0.0 (+0.0 to +0.0) F1 on 40 sentences"
    refused = hollow_adapter(BASE, adapters, "1", metrics={"decision": decision})
    better = hollow_adapter(BASE, adapters, "2", metrics={"decision": "promote: towns +9.0"})
    code, _, said = ran("promote", refused)
    assert code == 0 and current(adapters, Task.NER) == refused
    assert said.splitlines()[-1] == f"wraner: its training ended in {decision}"
    assert "its training" not in ran("promote", better)[2]


def test_a_rollback_undoes_no_promotion_that_it_has_not_shown(
    adapters: Path, ran: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = (hollow_adapter(BASE, adapters, words) for words in "12")
    assert ran("promote", first)[0] == 0

    def promote_meanwhile(_: str) -> str:
        promote(adapters, Task.NER, second, expected=first)
        return BASE.sha256

    monkeypatch.setattr("cli.adapters.sha256_of", promote_meanwhile)
    code, _, said = ran("rollback", "ner")
    assert code != 0 and "repeat the rollback" in said and current(adapters, Task.NER) == second


def test_word_tunings_are_promoted_and_rolled_back_too(
    adapters: Path, ran: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexed: list[Path] = []

    def generations_with(_: Any, tuning: Path) -> None:
        indexed.append(tuning)

    monkeypatch.setattr(word_promotion, "generations_with", generations_with)
    monkeypatch.delenv("WRANER_WORD_ADAPTER", raising=False)
    shipped = adapters.parent / "words"  # WRANER_ADAPTERS_DIR is the state folder here
    shipped.mkdir()
    for name in (CONFIG, WEIGHTS):
        (shipped / name).write_text("{}")
    identity = hollow_adapter(BASE, adapters, "1", task=Task.WORDS)
    code, _, said = ran("promote", identity[:8])
    assert code == 0 and current(adapters, Task.WORDS) == identity
    assert said == f"wraner: words: {identity[:12]} answers now, the tuning that ships before\n"
    (record,) = [json.loads(line) for line in ran("list")[1].splitlines()]
    assert record["task"] == "words" and record["current"]
    monkeypatch.setenv("WRANER_WORD_ADAPTER", "/some/folder")
    code, _, said = ran("rollback", "words")
    assert code == 0 and "words: the tuning that ships answers now" in said
    assert "WRANER_WORD_ADAPTER=/some/folder is set here" in said
    assert indexed == [adapters / identity] * 2 + [shipped] * 2


def test_the_state_folder_is_an_option(adapters: Path, tmp_path: Path, ran: Any) -> None:
    other = tmp_path / "other"
    identity = hollow_adapter(BASE, other / "adapters", "1")
    assert ran("promote", identity)[0] == 4
    assert ran("promote", identity, "--state", str(other))[0] == 0
    assert current(other / "adapters", Task.NER) == identity and not adapters.exists()


def test_a_manifest_is_shown_whole(adapters: Path, ran: Any) -> None:
    identity = hollow_adapter(BASE, adapters, "1", config={"rank": 8})
    for layout in ("view", "jsonl"):
        shown = json.loads(ran("show", identity[:6], "--format", layout)[1])
        assert shown["sha256"] == identity and shown["config"] == {"rank": 8}


def test_wrong_use_is_told(adapters: Path, ran: Any) -> None:
    made = [hollow_adapter(BASE, adapters, str(n)) for n in range(17)]  # two share a first digit
    shared = next(h[0] for h in made if sum(h[0] == other[0] for other in made) > 1)
    code, _, said = ran("promote", shared)
    assert code == 2 and "expected the hash of one adapter" in said
    for unknown in ("xyz", ""):
        code, _, said = ran("show", unknown)
        assert code == 4 and "wraner adapters list" in said
    assert ran("rollback", "summaries")[0] == 2


def test_a_damaged_adapter_is_told_beside_the_others(adapters: Path, ran: Any) -> None:
    whole, broken = (hollow_adapter(BASE, adapters, words) for words in "ab")
    (adapters / broken / WEIGHTS).write_bytes(b"cut")
    code, out, said = ran("list")
    assert code == 1 and json.loads(out)["sha256"] == whole and broken[:16] in said
    assert ran("promote", broken)[0] == 3 and current(adapters, Task.NER) == ""


def test_a_pinned_adapter_is_said(
    adapters: Path, ran: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRANER_EXTRACT_ADAPTER", "none")
    _, _, said = ran("promote", hollow_adapter(BASE, adapters, "1"))
    assert "WRANER_EXTRACT_ADAPTER=none is set here" in said
