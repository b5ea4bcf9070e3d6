"""Lineage: what was taught on the way to an adapter is told once, as far as it is known."""

import json
from pathlib import Path

import pytest

from training.lineage import inherited, joined
from wraner.adapters import MANIFEST, TrainingData
from wraner.errors import InvalidInput

TOWNS, RIVERS = (TrainingData(name=name, terms="free", sentences=9) for name in ("towns", "rivers"))


def taught(folder: Path, *data: TrainingData, parent: str = "") -> Path:
    folder.mkdir()
    content = {"data": [d.model_dump(mode="json") for d in data], "parent": parent, "task": "ner"}
    (folder / MANIFEST).write_text(json.dumps(content))
    return folder


def test_what_parents_were_taught_comes_first_and_each_once(tmp_path: Path) -> None:
    taught(tmp_path / "one", TOWNS)
    last = taught(tmp_path / "two", RIVERS, TOWNS, parent="one")
    assert inherited(last) == (TOWNS, RIVERS)
    assert joined(inherited(last), [RIVERS]) == (TOWNS, RIVERS)


def test_a_parent_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert inherited(taught(tmp_path / "two", RIVERS, parent="gone")) == (RIVERS,)
    assert inherited(None) == inherited(tmp_path / "gone") == ()
    own = taught(tmp_path / "own", TOWNS, parent="own")
    assert inherited(own) == (TOWNS,), "whatever names itself ends"


def test_a_damaged_manifest_is_named(tmp_path: Path) -> None:
    (taught(tmp_path / "two") / MANIFEST).write_text("{")
    with pytest.raises(InvalidInput, match=r"(?s)two/.*; restore it"):
        inherited(tmp_path / "two")
