import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.training.towns import write_towns
from training.clean_sources import read_clean_sources
from training.cleaning import LeftOut
from training.sources import Source, SourceConfig, read_source, read_source_configs
from training.word_settings import WordSettings
from wraner.errors import InvalidInput
from wraner.packs import TaggedExample

SHEET = """\
description: Tweets.
types:
  - {label: PER, name: person, definition: somebody by name}
  - {label: ORG, name: team, definition: a sports team}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with a sheet."""
    (tmp_path / "sheet.yaml").write_text(SHEET)
    return tmp_path


def config(**fields: object) -> SourceConfig:
    content = {"name": "tweets", "sheet": "sheet.yaml", "terms": "made up", **fields}
    return SourceConfig.model_validate(content)


def write(file: Path, *sentences: str) -> str:
    lines = (s.replace(" ", "\n").replace("/", "\t") for s in sentences)
    file.write_text("\n\n".join(lines) + "\n\n")
    return file.name


def spoken(examples: Sequence[TaggedExample]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [(e.text, [(e.text[m.start : m.end], m.label) for m in e.entities]) for e in examples]


def test_labels_become_the_names_of_the_sheet(root: Path) -> None:
    file = write(root / "a.conll", "Ann/B-PER Lee/I-PER joined/O Rovers/B-ORG")
    source = read_source(config(train=[file]), data_root=root)
    assert spoken(source.train) == [
        ("Ann Lee joined Rovers", [("Ann Lee", "person"), ("Rovers", "team")])
    ]
    assert source.left_out == LeftOut(duplicates=0, sentences=0, mentions=0)


def test_mentions_that_begin_inside_are_read(root: Path) -> None:
    file = write(root / "a.conll", "Ann/I-PER Lee/I-PER joined/O Rovers/I-ORG Bo/I-PER")
    source = read_source(config(train=[file]), data_root=root)
    named = [("Ann Lee", "person"), ("Rovers", "team"), ("Bo", "person")]
    assert spoken(source.train) == [("Ann Lee joined Rovers Bo", named)]


def test_useless_parts_are_left_out_and_counted(root: Path) -> None:
    file = write(
        root / "a.conll",
        "hi/O @/B-PER ann/B-PER",
        "Hi/O",
        "12/O 13/O",
        "so/O far/O",
        "so/O far/B-PER",
    )
    source = read_source(config(train=[file]), data_root=root)
    assert spoken(source.train) == [("hi @ ann", [("ann", "person")]), ("so far", [])]
    assert source.left_out == LeftOut(duplicates=1, sentences=2, mentions=1)
    assert str(source.left_out).startswith("1 repeated texts, 2 sentences of fewer than 2 words")


def test_a_text_in_several_splits_stays_held_out(root: Path) -> None:
    train = write(root / "train.conll", "one/O two/O", "two/O three/O", "three/O four/O")
    dev, test = (
        write(root / "dev", "two/O three/O", "one/O two/O"),
        write(root / "t", "one/O two/O"),
    )
    source = read_source(config(train=[train], dev=[dev], test=[test]), data_root=root)
    texts = [[e.text for e in split] for split in (source.train, source.dev, source.test)]
    assert texts == [["three four"], ["two three"], ["one two"]]


def test_ids_are_kept_where_they_were_given(root: Path) -> None:
    row = {"id": "first", "text": "Ann sang.", "entities": [{"start": 0, "end": 3, "label": "PER"}]}
    (root / "a.jsonl").write_text(json.dumps(row) + "\n")
    source = read_source(config(train=["a.jsonl"], format="jsonl"), data_root=root)
    assert [e.id for e in source.train] == ["first"]


def test_an_id_that_several_share_is_the_firsts(root: Path) -> None:
    for split, texts in (("dev", ["Ann sang."]), ("train", ["Bo sang.", "Cem sang."])):
        rows = [json.dumps({"id": "doc", "text": text}) for text in texts]
        (root / f"{split}.jsonl").write_text("\n".join(rows) + "\n")
    given = config(train=["train.jsonl"], dev=["dev.jsonl"], format="jsonl")
    source = read_source(given, data_root=root)
    assert [e.id for e in source.dev] == ["doc"]
    own = [TaggedExample(text=text) for text in ("Bo sang.", "Cem sang.")]
    assert list(source.train) == own, "their content names them"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Ann/B-PER in/O Oslo/B-LOC", r"label of the sheet \(PER, ORG\), was: 'LOC' in 'Ann in"),
        ("Ann", "expected a token"),
    ],
)
def test_what_a_sheet_or_format_lacks_is_refused(root: Path, line: str, said: str) -> None:
    file = write(root / "a.conll", line)
    with pytest.raises(InvalidInput, match=said):
        read_source(config(train=[file]), data_root=root)


def test_a_mention_that_cuts_a_word_is_refused(root: Path) -> None:
    row = {"text": "Annie sang.", "entities": [{"start": 0, "end": 3, "label": "PER"}]}
    (root / "a.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(InvalidInput, match=r"tweets: 'Annie sang\.': an entity must begin"):
        read_source(config(train=["a.jsonl"], format="jsonl"), data_root=root)


def test_a_missing_file_is_refused(root: Path) -> None:
    with pytest.raises(InvalidInput, match=r"tweets: expected a readable file, was: .*none\.conll"):
        read_source(config(train=["none.conll"]), data_root=root)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"test": ["a.conll"]},
        {"train": ["a.conll"], "hub": {"path": "./a"}},
        {"format": "jsonl", "hub": {"path": "./a"}},
    ],
)
def test_a_source_has_one_origin(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected either `train` files"):
        config(**fields)


def test_two_sources_of_one_name_are_refused(tmp_path: Path) -> None:
    one = {"name": "tweets", "sheet": "btc", "terms": "made up", "train": ["a"]}
    (tmp_path / "sources.yaml").write_text(json.dumps([one, one]))
    with pytest.raises(InvalidInput, match="expected unique names, was: tweets, tweets"):
        read_source_configs(tmp_path / "sources.yaml")


@pytest.mark.parametrize("content", ["[", "- name: tweets", None])
def test_a_file_that_holds_no_sources_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "sources.yaml").write_text(content)
    with pytest.raises(InvalidInput, match=r"sources\.yaml"):
        read_source_configs(tmp_path / "sources.yaml")


def test_a_source_with_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    file = write_towns(tmp_path)
    file.write_text(file.read_text().replace("dev: [dev.conll]", "train: [dev.conll]"))
    with pytest.raises(InvalidInput, match=r"sources\.yaml:2: expected each key once"):
        read_source_configs(file)


@pytest.mark.parametrize(
    ("name", "train_mentions"),
    [("btc", 9247), ("wikigold", 3558), ("sec-filings", 1162)],
)
def test_mentions_of_real_data_are_as_many_as_known(
    crossner: Path, name: str, train_mentions: int
) -> None:
    source = default_source(crossner.parent, name)
    assert sum(len(e.entities) for e in source.train) == train_mentions


def default_source(root: Path, name: str) -> Source:
    (found,) = (c for c in read_source_configs() if c.name == name)
    return read_source(found, data_root=root)


def test_a_source_that_is_wholly_asked_about_is_left_out(tmp_path: Path) -> None:
    file = write_towns(tmp_path)
    chosen = WordSettings(sources={"towns": 1.0}, source_file=file, held_out=())
    said: list[str] = []
    (towns,) = read_clean_sources(chosen, tmp_path, said.append)
    texts = [example.text for example in towns.train]
    assert read_clean_sources(chosen, tmp_path, said.append, asked=texts[1:])[0].train
    assert read_clean_sources(chosen, tmp_path, said.append, asked=texts) == ()
    assert "towns is left out whole" in said[-1]


def test_held_out_files_that_leave_no_source_are_refused(tmp_path: Path) -> None:
    file = write_towns(tmp_path)
    chosen = WordSettings(sources={"towns": 1.0}, source_file=file, held_out=(Path("train.conll"),))
    with pytest.raises(InvalidInput, match="held-out files leave something, was: towns; name"):
        read_clean_sources(chosen, tmp_path, lambda _: None)
    assert read_clean_sources(chosen, tmp_path, lambda _: None, asked=["a pack's"]) == ()
