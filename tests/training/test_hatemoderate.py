import hashlib
import json
from pathlib import Path

import pytest
import yaml

from training import hatemoderate
from training.hatemoderate import read_hatemoderate, read_texts
from wraner.errors import InvalidInput

ROOT = Path(__file__).parents[2]


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with two invented guidelines."""
    keys = {hashlib.sha256(g.encode()).hexdigest()[:12]: g for g in ("one", "two")}
    (tmp_path / "policies.json").write_text(json.dumps(keys))
    monkeypatch.setattr(hatemoderate, "_POLICIES", tmp_path / "policies.json")
    return tmp_path / "rows.csv"


def write(path: Path, *rows: tuple[str, str, str, str]) -> None:
    lines = ["text\tdataset\tguideline\tlabels", *("\t".join(r) for r in rows)]
    path.write_text("\n".join(lines) + "\n")


def test_equal_texts_are_one_example(table: Path) -> None:
    write(
        table,
        ("Some  text", "x", "two", "1"),
        ("some text ", "x", "one", "1"),
        ("fine", "x", "one", "0"),
        ("both ways", "x", "one", "0"),
        ("both ways", "x", "two", "1"),
        ("a test suite's", "hatecheck", "one", "1"),
    )
    first, second = read_hatemoderate(table)
    assert (first.text, first.violates, first.complies) == ("Some  text", ("one", "two"), ())
    assert (second.text, second.violates, second.complies) == ("fine", (), "all")


def test_bad_rows_are_named(table: Path) -> None:
    write(table, ("ok", "x", "one", "1"), ("bad", "x", "one", "2"))
    with pytest.raises(InvalidInput, match="row 3"):
        read_hatemoderate(table)
    write(table, ("ok", "x", "three", "1"))
    with pytest.raises(InvalidInput, match="unknown"):
        read_hatemoderate(table)


def test_texts_are_those_of_all_rows(table: Path) -> None:
    write(
        table,
        ("both ways", "x", "one", "0"),
        ("both ways", "x", "two", "1"),
        ("a test suite's", "hatecheck", "one", "1"),
    )
    assert list(read_texts(table)) == ["both ways", "both ways", "a test suite's"]
    assert read_hatemoderate(table) == []


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"was: .*none\.csv, .* name the folder .* --data"):
        read_hatemoderate(tmp_path / "none.csv")


def test_the_mapping_names_the_packs_policies() -> None:
    pack = yaml.safe_load((ROOT / "packs/hate-speech/pack.yaml").read_text())
    mapped = json.loads((ROOT / "training/hatemoderate_policies.json").read_text())
    assert sorted(mapped.values()) == sorted(p["id"] for p in pack["policies"])


def test_the_released_files_hold_what_the_notes_say() -> None:
    folder = ROOT.parent / "shared" / "data" / "hatemoderate"
    if not folder.is_dir():
        pytest.skip(f"HateModerate is not at {folder}")
    test = read_hatemoderate(folder / "hatemoderate_test.csv")
    assert 3400 < len(test) <= 3424
    assert len({p for e in test for p in e.violates}) == 41
