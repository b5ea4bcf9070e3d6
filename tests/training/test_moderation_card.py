"""The report card: its words and figures, what it says where something is missing, its file."""

import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from tests.training.moderation_examples import POLICIES
from tests.training.moderation_outcomes import Outcome, summarised
from training.moderation_card import render_card
from training.moderation_card_file import BEGINNING, check_place, write_card
from training.moderation_card_subject import (
    CardSubject,
    Tuning,
    read_moderation_adapter,
    read_tuning,
)
from training.moderation_report import render_html, render_markdown
from training.word_manifest import WordManifest
from wraner.adapters import (
    CONFIG,
    MANIFEST,
    WEIGHTS,
    AdapterManifest,
    Base,
    Task,
    TrainingData,
    write_adapter,
)
from wraner.errors import InvalidInput
from wraner.packs import version

GOLDEN = Path(__file__).parent.parent / "golden" / "moderation_card.md"
SUMMARY = summarised(
    Outcome("banish", True, 0.9, 30),
    Outcome("banish", True, 0.45, 4),
    Outcome("banish", False, 0.1, 20, kind=3),
    Outcome("banish", False, 0.8, 12, kind=4),
    Outcome("mock", True, 0.2, 30, named="accuse", clean=False),
    Outcome("mock", False, 0.9, 12, kind=1),
    Outcome("mock", False, 0.2, 3),
    Outcome("accuse", True, 0.7, 9),
)
ADAPTER = AdapterManifest(
    task=Task.MODERATION,
    base=Base(name="tiny", sha256="b" * 64),
    data=(
        TrainingData(name="towns", terms="our own", sentences=1234),
        TrainingData(name="a|b", terms="", sentences=5),
    ),
    config={"optimiser": {"steps": 400, "stop": 200, "step_tokens": 3072, "other": 1}},
    metrics={"command": "wraner evaluate moderation", "all rows": {"hateful_let_pass": 0.25}},
    created=date(2026, 1, 2),
    sha256="a" * 64,
)
TUNING = Tuning(
    "c" * 64,
    WordManifest(
        base_sha256="d" * 64,
        parent="",
        data=(TrainingData(name="hills", terms="CC BY 4.0", sentences=77),),
        config={"steps": 90},
        loss=0.5,
        dev_loss=None,
        created=date(2026, 1, 1),
    ),
)
SUBJECT = CardSubject("towns", version(POLICIES), 3, "tiny-words", ADAPTER, TUNING)
BARE = replace(SUBJECT, adapter=None, tuning=None)


def test_the_card_is_as_it_was() -> None:
    assert render_card(SUMMARY, SUBJECT) == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "card",
    [
        render_card(SUMMARY, SUBJECT),
        render_card(SUMMARY, BARE),
        render_card(summarised(Outcome("mock", True, 0.9, 1), whole=9, calibrated=False), BARE),
    ],
)
def test_a_card_is_whole_and_shows_no_text(card: str) -> None:
    table: list[list[str]] = []
    for line in [*card.splitlines(), ""]:
        if line.startswith("|"):
            table.append(re.split(r"(?<!\\)\|", line))
            continue
        assert len(table) != 1 and len({len(cells) for cells in table}) <= 1, table
        table = []
    assert "\n\n\n" not in card and "None" not in card
    assert re.search(r"\n#+ [^\n]+\n[^\n]", card) is None
    assert "Zorvian" not in card


def test_a_few_scores_that_are_no_probabilities_are_counted() -> None:
    found = summarised(Outcome("mock", True, 0.9, 3), uncalibrated=2)
    card = render_card(found, SUBJECT)
    said = "calibrated: fitted to be probabilities, but of 2 of 3 texts the highest of several"
    assert f"| scores | {said} |" in card and "not calibrated" not in card
    for page in (render_markdown(found), render_html(found)):
        assert "Of 2 of 3 texts" in page and "scores are not calibrated: each is the high" in page


def test_without_an_adapter_the_card_says_so() -> None:
    shown = summarised(Outcome("mock", True, 0.9, 1), whole=9, calibrated=False)
    card = render_card(shown, BARE)
    assert card.startswith("# Report card: no adapter, the base model alone, on towns\n")
    assert "| adapter | none: the base model alone |" in card and ", untuned |" in card
    assert "Of training data beyond the base models' own, nothing is recorded." in card
    assert "- Its scores are not calibrated" in card
    assert "**A sample: 1 of 9 rows." in card
    assert "Left out: the kinds" in card


def test_what_a_manifest_says_is_said() -> None:
    told = ADAPTER.model_copy(update={"parent": "e" * 64, "forced": True, "config": {}})
    card = render_card(SUMMARY, replace(SUBJECT, adapter=told))
    assert f"| trained from | adapter `{'e' * 64}` |" in card
    assert "| promoted | though a gate refused it |" in card
    behind = "on from eeeeeeeeeeee, whose runs come on top"
    assert f"- the adapter: not stated in its manifest, {behind}\n" in card


def test_a_card_takes_the_place_of_a_card(tmp_path: Path) -> None:
    file = tmp_path / "new" / "card.md"
    write_card(file, "# One\n")
    write_card(file, "# Two\n")
    written = file.read_text()
    assert written.startswith(BEGINNING) and written.endswith("-->\n\n# Two\n")
    file.write_text("")
    write_card(file, "# Three\n")
    assert "# Three" in file.read_text() and [p.name for p in file.parent.iterdir()] == ["card.md"]


def test_nothing_but_a_card_is_overwritten(tmp_path: Path) -> None:
    prose, inside = tmp_path / "README.md", tmp_path / "README.md" / "card.md"
    prose.write_text("# Written by hand\n")
    for place, words in (
        (prose, "which is something else; name another file"),
        (tmp_path, "a folder; name a file in it"),
        (inside, "in a folder that can be written"),
    ):
        with pytest.raises(InvalidInput, match=words):
            check_place(place)
        with pytest.raises(InvalidInput, match=words):
            write_card(place, "# Card\n")
    assert prose.read_text() == "# Written by hand\n"


def test_a_card_that_fails_leaves_the_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left")

    file = tmp_path / "card.md"
    write_card(file, "# One\n")
    monkeypatch.setattr("training.moderation_card_file.os.fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_card(file, "# Two\n")
    assert file.read_text().endswith("# One\n")
    assert [p.name for p in tmp_path.iterdir()] == ["card.md"]


def test_manifests_are_read_and_those_of_another_task_refused(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    for name in (CONFIG, WEIGHTS):
        (scratch / name).write_bytes(b"{}")
    with pytest.raises(InvalidInput, match=r"manifest.json that says .* go without a card"):
        read_tuning(scratch)
    (scratch / MANIFEST).write_text(TUNING.manifest.model_dump_json())
    assert read_tuning(scratch).manifest == TUNING.manifest
    own = ADAPTER.model_copy(update={"sha256": ""})
    stored = write_adapter(tmp_path, scratch, own)
    assert read_moderation_adapter(tmp_path, stored) == own.model_copy(update={"sha256": stored})
    assert read_moderation_adapter(tmp_path, "") is None
    write_adapter(tmp_path, scratch, own.model_copy(update={"task": Task.NER}))
    with pytest.raises(InvalidInput, match=r"an adapter for moderation, was: .* for ner"):
        read_moderation_adapter(tmp_path, stored)
