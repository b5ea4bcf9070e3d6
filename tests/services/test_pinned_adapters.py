"""An adapter that a setting pins answers its task, or why it cannot is said at little cost."""

import errno
import os
from pathlib import Path

import pytest

from services.adapters import AdapterChoice
from services.settings import Settings
from tests.wraner.random_adapters import hollow_adapter
from wraner.adapters import WEIGHTS, Task, content_hash
from wraner.errors import Unavailable
from wraner.promotions import promote
from wraner.weights import BaseModel

NER = Task.NER
NOWHERE = BaseModel(Path("none"), "tiny", "0" * 64)


@pytest.fixture
def adapters(tmp_path: Path) -> Path:
    """The folder of adapters of the service in `tmp_path`."""
    return tmp_path / "adapters"


def test_settings_pin_an_adapter_or_none(adapters: Path, tmp_path: Path) -> None:
    promoted = hollow_adapter(NOWHERE, adapters, "1")
    promote(adapters, NER, promoted, expected="")
    for pin, expected in (("", promoted), ("none", ""), ("f" * 64, "f" * 64)):
        choice = AdapterChoice(Settings(state_dir=tmp_path, extract_adapter=pin))
        assert choice.of(NER) == expected and choice.of(Task.MODERATION) == ""
    with pytest.raises(ValueError, match="extract_adapter"):
        Settings(extract_adapter="latest")
    (adapters / "ner.json").write_text("{")
    with pytest.raises(Unavailable, match=r"ner\.json"):
        AdapterChoice(Settings(state_dir=tmp_path)).of(NER)


def test_an_adapter_that_is_pinned_for_another_task_is_refused(
    adapters: Path, tmp_path: Path
) -> None:
    judge = hollow_adapter(NOWHERE, adapters, "1", task="moderation")
    wrong = AdapterChoice(Settings(state_dir=tmp_path, extract_adapter=judge))
    for _ in range(2):
        with pytest.raises(Unavailable, match=r"for ner, was: .* one for moderation; .*EXTRACT_A"):
            wrong.of(NER)
    right = AdapterChoice(Settings(state_dir=tmp_path, moderate_adapter=judge))
    assert [right.of(Task.MODERATION) for _ in range(2)] == [judge] * 2 and right.of(NER) == ""


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The adapters whose files were hashed, in turn."""
    done: list[str] = []

    def counted(folder: Path) -> str:
        done.append(folder.name)
        return content_hash(folder)

    monkeypatch.setattr("wraner.adapters.content_hash", counted)
    return done


def test_a_pin_is_hashed_once_whatever_it_is(
    adapters: Path, tmp_path: Path, hashed: list[str]
) -> None:
    judge = hollow_adapter(NOWHERE, adapters, "1", task="moderation")
    broken = hollow_adapter(NOWHERE, adapters, "2", task="moderation")
    (adapters / broken / WEIGHTS).write_bytes(b"cut")
    hashed.clear()
    pins = {"extract_adapter": judge, "moderate_adapter": broken}
    choice = AdapterChoice(Settings.model_validate({"state_dir": tmp_path, **pins}))
    for _ in range(3):
        with pytest.raises(Unavailable, match="for ner, was: "):
            choice.of(NER)
        assert choice.of(Task.MODERATION) == broken, "the engine says what is wrong with it"
        with pytest.raises(Unavailable, match="is damaged"):
            choice.calibration(broken)
        assert choice.calibration(judge) is None
    assert sorted(hashed) == sorted([judge, broken])
    (adapters / broken / WEIGHTS).write_bytes(b"")  # as it was
    assert choice.calibration(broken) is None and hashed.count(broken) == 2


def test_a_pin_that_could_not_be_read_is_read_again(
    adapters: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = hollow_adapter(NOWHERE, adapters, "1", task="moderation")
    choice = AdapterChoice(Settings(state_dir=tmp_path, extract_adapter=judge))

    def fail(_: Path) -> str:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with monkeypatch.context() as patched:
        patched.setattr("wraner.adapters.content_hash", fail)
        assert choice.of(NER) == judge
    with pytest.raises(Unavailable, match="for ner, was: "):
        choice.of(NER)
