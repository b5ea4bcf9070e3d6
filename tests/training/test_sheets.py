from pathlib import Path

import pytest

from training.sheets import SHEETS, read_sheet, shipped_sheet
from training.sources import read_source_configs
from wraner.errors import InvalidInput
from wraner.formats.conll import read_conll
from wraner.packs import EntityType
from wraner.prompts import render_extraction

NAMES = sorted(f.stem for f in SHEETS.glob("*.yaml"))
TARGETS = ("politics", "science", "music", "literature", "ai")
PLANT = "{label: PLANT, name: plant, definition: a plant by name, synonyms: [herb]}"


def write(folder: Path, *types: str) -> Path:
    file = folder / "sheet.yaml"
    file.write_text(f"description: Notes from a garden.\ntypes: [{', '.join(types)}]\n")
    return file


def test_a_sheet_states_its_types_by_their_names(tmp_path: Path) -> None:
    sheet = read_sheet(write(tmp_path, PLANT))
    assert [(t.name, t.definition) for t in sheet.entity_types] == [("plant", "a plant by name")]
    assert sheet.names == {"PLANT": "plant"}


def test_a_type_without_a_definition_is_asked_for_as_it_is_served(tmp_path: Path) -> None:
    sheet = read_sheet(write(tmp_path, PLANT, "{label: TREE, name: tree}"))
    served = (EntityType(name="plant", definition="a plant by name"), EntityType(name="tree"))
    asked = [render_extraction(types, (), "An oak.") for types in (sheet.entity_types, served)]
    assert asked[0] == asked[1] and "\ntree\n" in asked[0].instruction


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    file = write(tmp_path, PLANT)
    file.write_text(f"{file.read_text()}types: []\n")
    with pytest.raises(InvalidInput, match=r"sheet\.yaml:3: expected each key once"):
        read_sheet(file)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ("{label: PLANT, name: tree, definition: a tree}", "labels, was twice: PLANT"),
        ("{label: TREE, name: Plant, definition: a tree}", "synonyms, was twice: plant"),
        ("{label: TREE, name: tree, definition: a tree, synonyms: [Herb]}", "twice: herb"),
        ("{label: TREE, name: herb, definition: a tree}", "twice: herb"),
        ("{label: TREE, name: tree, definition: ''}", "definition"),
        ("{label: TREE, name: tree, definition: a tree, colour: green}", "colour"),
    ],
)
def test_a_sheet_that_breaks_a_rule_is_refused(tmp_path: Path, other: str, named: str) -> None:
    with pytest.raises(InvalidInput, match=named) as refused:
        read_sheet(write(tmp_path, PLANT, other))
    assert "sheet.yaml" in refused.value.message


def test_a_sheet_without_types_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="types"):
        read_sheet(write(tmp_path))


@pytest.mark.parametrize("content", [b"types: [", b"\xff", None])
def test_a_file_that_is_no_yaml_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "broken.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidInput, match=r"broken\.yaml"):
        read_sheet(file)


def test_an_unknown_name_lists_the_shipped_sheets() -> None:
    with pytest.raises(InvalidInput, match=r"conll2003.*was: 'garden'"):
        shipped_sheet("garden")


def test_there_is_a_sheet_for_every_target_and_source() -> None:
    assert set(NAMES) == {*TARGETS, *(c.sheet for c in read_source_configs())}


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_definition_is_short_and_has_other_wordings(name: str) -> None:
    for type_ in shipped_sheet(name).types:
        wordings = (type_.definition, *type_.paraphrases)
        assert len({w.casefold() for w in wordings}) == 3, type_.name
        assert 12 <= len(type_.definition.split()) <= 25, type_.name
        assert 2 <= len(type_.synonyms) <= 4, type_.name
        assert not any(w.endswith(".") for w in wordings), type_.name


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_sheet_has_the_labels_of_its_train_file(crossner: Path, name: str) -> None:
    assert labels_of(crossner / name / "train.txt") == set(shipped_sheet(name).names)


def test_a_source_sheet_has_the_labels_of_its_train_files(crossner: Path) -> None:
    for config in read_source_configs():
        found = set().union(*(labels_of(crossner.parent / file) for file in config.train))
        assert found == set(shipped_sheet(config.sheet).names), config.name


def labels_of(path: Path) -> set[str]:
    return {m.label for e in read_conll(path) for m in e.entities}
