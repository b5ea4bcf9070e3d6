import json
from pathlib import Path

import pyarrow
import pytest
from datasets import ClassLabel, Features, List, Value
from pyarrow import parquet

from training.hub_source import HubDataset, iterate_split
from training.sources import SourceConfig, read_source
from wraner.errors import InvalidInput
from wraner.packs import TaggedExample

NAMES = ["O", "B-PER", "I-PER"]
ROWS = {"tokens": [["Ann", "Lee", "sang"], ["no", "one"]], "ner_tags": [[1, 2, 0], [0, 0]]}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let no test reach the hub or the user's cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """A data root with a set whose tags are numbers, named in its features."""
    features = Features(
        {"tokens": List(Value("string")), "ner_tags": List(ClassLabel(names=NAMES))}
    )
    (tmp_path / "set").mkdir()
    table = pyarrow.table(ROWS, schema=features.arrow_schema)
    for split in ("train", "test"):
        parquet.write_table(table, tmp_path / "set" / f"{split}.parquet")
    return tmp_path


def lines(root: Path, *rows: dict[str, object]) -> Path:
    (root / "set").mkdir()
    (root / "set" / "train.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return root


def examples(root: Path, split: str = "train", **fields: object) -> list[TaggedExample]:
    dataset = HubDataset.model_validate({"path": "./set", **fields})
    return list(iterate_split(dataset, split, data_root=root))


def spoken(found: list[TaggedExample]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(e.text, [(e.text[m.start : m.end], m.label) for m in e.entities]) for e in found]


def test_numbered_tags_are_named_by_the_features(numbered: Path) -> None:
    found = examples(numbered)
    assert spoken(found) == [("Ann Lee sang", [("Ann Lee", "PER")]), ("no one", [])]


def test_only_the_first_sentences_are_read_where_a_number_is_given(numbered: Path) -> None:
    assert [e.text for e in examples(numbered, sentences=1)] == ["Ann Lee sang"]


def test_tags_may_be_strings_in_columns_of_other_names(tmp_path: Path) -> None:
    root = lines(tmp_path, {"words": ["Ann", "sang"], "ner": ["I-PER", "O"]})
    assert spoken(examples(root, tokens="words", tags="ner")) == [("Ann sang", [("Ann", "PER")])]


def test_bare_numbers_are_named_by_the_configuration(tmp_path: Path) -> None:
    root = lines(tmp_path, {"tokens": ["Ann", "sang"], "ner_tags": [1, 0]})
    assert spoken(examples(root, tag_names=NAMES)) == [("Ann sang", [("Ann", "PER")])]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"tokens": ["Ann"], "ner_tags": [1]}, "row 0: expected the number of one of 0 named tags"),
        ({"tokens": ["Ann"], "ner_tags": ["PER"]}, "row 0: expected tags .*was: 'PER'"),
        ({"tokens": ["Ann"], "ner_tags": ["O", "O"]}, "row 0: expected a list of tokens"),
        ({"tokens": "Ann", "ner_tags": ["O"]}, "row 0: expected a list of tokens"),
        ({"words": ["Ann"], "ner_tags": ["O"]}, "expected a column 'tokens', was: words, ner_tags"),
    ],
)
def test_rows_that_cannot_be_read_are_refused(
    tmp_path: Path, row: dict[str, object], said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        examples(lines(tmp_path, row))


def test_a_split_that_is_missing_is_refused(numbered: Path) -> None:
    with pytest.raises(InvalidInput, match="expected a data set with a split 'dev'"):
        examples(numbered, "dev")


def test_a_folder_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"was: \./set"):
        examples(tmp_path)


def test_a_name_without_a_dot_is_no_folder(numbered: Path) -> None:
    with pytest.raises(InvalidInput, match=r"was: set \("):
        examples(numbered, path="set")


def test_a_source_may_be_a_data_set(numbered: Path) -> None:
    config = SourceConfig.model_validate(
        {
            "name": "set",
            "sheet": "btc",
            "terms": "made up",
            "hub": {"path": "./set", "test": "test"},
        }
    )
    source = read_source(config, data_root=numbered)
    assert spoken(list(source.test)) == [("Ann Lee sang", [("Ann Lee", "person")]), ("no one", [])]
    assert not source.train
    assert source.left_out.duplicates == 2
