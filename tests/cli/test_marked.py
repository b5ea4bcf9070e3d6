"""Marked text from the command line: extracted, corrected, imported, and written into packs."""

import io
import json
from pathlib import Path

import pytest

from cli.marked_lines import MarkedLines
from cli.texts import Place, Text
from tests.cli.conftest import CITIES, RULES, Wraner, pack_folder
from wraner.client.replies import Coverage, Extraction
from wraner.errors import InvalidInput
from wraner.formats.marked import LEGEND
from wraner.pack_folders import read_pack_folder
from wraner.packs import Domain, PolicySet

GHENT = "She moved to [Ghent | city]."


def as_marked(folder: Path, *lines: str) -> Path:
    """Write a pack of cities whose examples are marked text."""
    pack_folder(folder, CITIES)
    (folder / "examples.jsonl").unlink()
    (folder / "examples.txt").write_text("\n".join(lines))
    return folder


def test_answers_are_corrected_and_imported(wraner: Wraner, cities: Domain, tmp_path: Path) -> None:
    given = b'{"text": "Ann [sic] went\\nto Hull."}\n{"text": " "}\n{"text": "rain"}\n'
    ran = wraner("extract", "cities", "--marked", "--jsonl", stdin=given)
    assert ran.code == 1 and ran.out.splitlines() == [
        LEGEND,
        "[Ann | city] \\[sic\\] went\\nto [Hull | city].",
        "# line 2: empty; expected at least one visible character",
        "rain",
    ]
    file = tmp_path / "corrected.txt"
    file.write_text(ran.out.replace("[Ann | city]", "[Ann | person]"))
    ran = wraner("import", str(file), "--format", "marked", "--domain", "cities")
    assert ran.code == 0 and "cities: 2 examples; 4 examples now" in ran.err
    listed = wraner("domains", "examples", "list", "cities").out.splitlines()
    added = [json.loads(line) for line in listed[2:]]
    assert [one["text"] for one in added] == ["Ann [sic] went\nto Hull.", "rain"]
    assert [e["label"] for e in added[0]["entities"]] == ["person", "city"]


@pytest.mark.usefixtures("cities")
def test_marked_answers_have_no_other_format(wraner: Wraner) -> None:
    ran = wraner("extract", "cities", "Ann", "--marked", "--format", "view")
    assert ran.code == 2 and "one of --marked and --format, was: both" in ran.err


def test_a_pack_may_be_written_with_marks(wraner: Wraner, tmp_path: Path) -> None:
    folder = as_marked(tmp_path / "cities", "# id = ghent", GHENT, "", "# id = none", "It rains.")
    assert read_pack_folder(folder) == CITIES
    ran = wraner("domains", "add", "towns", str(folder))
    assert ran.code == 0 and "stored towns: 2 examples" in ran.err
    more = tmp_path / "more.txt"
    more.write_text("Up to [Hull | city].")
    ran = wraner("domains", "examples", "add", "towns", str(more))
    assert ran.code == 0 and "1 added, 0 held already; 3 examples now" in ran.err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("[Ghent | town]", r"examples\.txt:2: entities/0/label: label 'town' is not declared"),
        ("[Ghen | city]t", r"examples\.txt:2: entities/0: .*border of a word"),
        ("[Ghent city]", r"examples\.txt:2: column 1: expected \[words \| label\]"),
    ],
)
def test_a_wrong_mark_is_named_with_its_line(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read_pack_folder(as_marked(tmp_path / "cities", "It rains.", line))


def test_a_pack_has_its_examples_in_one_file(tmp_path: Path) -> None:
    folder = as_marked(tmp_path / "cities", GHENT)
    (folder / "examples.jsonl").touch()
    with pytest.raises(InvalidInput, match=r"one of examples\.jsonl and examples\.txt, was: both"):
        read_pack_folder(folder)


def test_a_text_file_of_another_format_adds_nothing(
    wraner: Wraner, cities: Domain, tmp_path: Path
) -> None:
    file = tmp_path / "more.txt"
    for content in ("EU B-ORG\nrejects O\n", '{"text": "It rains."}\n'):
        file.write_text(content)
        ran = wraner("domains", "examples", "add", "cities", str(file))
        assert ran.code == 1 and "expected marked text, such as" in ran.err
        assert "`wraner import --format " in ran.err
    with pytest.raises(InvalidInput, match="lines of CoNLL"):
        read_pack_folder(as_marked(tmp_path / "conll", "Ghent B-city", "", "rains O"))


def test_what_was_cut_short_is_said_above_it() -> None:
    out = io.BytesIO()
    coverage = Coverage(characters=4, windows=1, truncated=True)
    cut = Extraction(entities=(), neighbours=(), coverage=coverage)
    MarkedLines(out).write(Text(Place(1, 1), "# Rain"), cut)
    comment = "# line 1: the answer was cut short; entities may be missing"
    assert out.getvalue().decode() == f"{LEGEND}\n{comment}\n\\# Rain\n"


def test_nothing_is_written_where_nothing_is_asked(wraner: Wraner) -> None:
    ran = wraner("extract", "nowhere", "Ann", "--marked")
    assert ran.code == 4 and ran.out == ""


def test_a_policy_sets_file_is_json_lines_whatever_its_name(
    wraner: Wraner, rules: PolicySet, tmp_path: Path
) -> None:
    folder = Path(pack_folder(tmp_path / "other", RULES))
    file = (folder / "examples.jsonl").rename(folder / "examples.txt")
    assert read_pack_folder(folder) == RULES
    assert wraner("policies", "examples", "add", "rules", str(file)).code == 0
    file.write_text('{"text": "Buy bad watches!", "violates": ["no-spam"]}\n')
    assert wraner("policies", "test", "rules", str(file)).code == 0


def test_what_lies_there_under_another_name_is_told(
    wraner: Wraner, cities: Domain, tmp_path: Path
) -> None:
    folder = as_marked(tmp_path / "cities", GHENT)
    (folder / "examples.txt").rename(folder / "examples.md")
    ran = wraner("domains", "add", "towns", str(folder))
    assert ran.code == 1 and "or of a domain examples.txt with marked text, was: neither" in ran.err
    ran = wraner("domains", "test", "cities", str(folder / "examples.md"))
    assert ran.code == 1 and ":1: expected a line of JSON, was: marked text; let" in ran.err
    shouting = (folder / "examples.md").rename(folder / "MORE.TXT")
    assert wraner("domains", "examples", "add", "cities", str(shouting)).code == 0


def test_an_example_that_does_not_fit_is_named_with_its_line(
    wraner: Wraner, cities: Domain, tmp_path: Path
) -> None:
    file = tmp_path / "more.txt"
    file.write_text("# by Ann\n\nIt rains.\n# id = h\nUp to [Hull | town].\n")
    ran = wraner("domains", "examples", "add", "cities", str(file))
    assert ran.code == 1 and f"{file}:5: entities/0/label: label 'town'" in ran.err


def test_an_id_comes_along_and_untagged_texts_are_said(
    wraner: Wraner, cities: Domain, tmp_path: Path
) -> None:
    given = b'{"id": "m-1", "text": "rain", "queue": 3}\n{"id": " ", "text": "snow"}\n'
    ran = wraner("extract", "cities", "--marked", "--jsonl", stdin=given)
    assert ran.out == f"{LEGEND}\n# id = m-1\nrain\nsnow\n"
    file = tmp_path / "more.txt"
    file.write_text(ran.out)
    ran = wraner("import", str(file), "--format", "marked", "--domain", "cities")
    assert ran.code == 0 and "no example has an entity: each teaches" in ran.err
