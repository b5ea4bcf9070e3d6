"""`wraner … examples edit`, with editors that are scripts."""

import json
import sys
from pathlib import Path

import pytest

from cli.edit import changes
from tests.cli.conftest import CITIES, Served, Wraner, tagged
from wraner.entities import Mention
from wraner.packs import Domain, PolicySet, TaggedExample
from wraner.registry import PackStore


@pytest.fixture
def editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A script that stands for the editor; what is written to it is run with the file's path."""
    script = tmp_path / "editor.py"
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return script


@pytest.fixture(params=[1_500_000, 10], ids=["at-once", "change-by-change"])
def sent(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a call carry all that was edited, or next to nothing."""
    monkeypatch.setattr("cli.shelf.PIECE_BYTES", request.param)


def replacing(*changes: tuple[str, str], end: str = "") -> str:
    """Return an editor of marked text."""
    return (
        "import sys, pathlib\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "text = path.read_text()\n"
        f"for old, new in {list(changes)!r}:\n"
        "    assert old in text, text\n"
        "    text = text.replace(old, new)\n"
        f"path.write_text(text + {end!r})\n"
    )


def rewriting(change: str) -> str:
    """Return an editor of JSON lines."""
    return (
        "import sys, json, pathlib\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "rows = [json.loads(line) for line in path.read_text().splitlines()]\n"
        f"{change}\n"
        "path.write_text(''.join(json.dumps(row) + chr(10) for row in rows))\n"
    )


def stored(wraner: Wraner, name: str = "cities") -> dict[str, str]:
    listed = wraner("domains", "examples", "list", name).out.splitlines()
    return {row["id"]: row["text"] for row in map(json.loads, listed)}


def store_as_shipped(state: Path, name: str, pack: Domain) -> None:
    """Store a pack as one that ships is: nobody counts its characters."""
    PackStore(state).publish(name, pack, expected=None)


def kept(tmp_path: Path) -> list[Path]:
    return [*tmp_path.glob("wraner-*.txt"), *tmp_path.glob("wraner-*.jsonl")]


def test_what_was_changed() -> None:
    a, b, c = (tagged(text, id=text) for text in "abc")
    other = tagged("other", id="b")
    wanted = changes([a, b], [other, c])
    assert wanted.removed == (a, b) and wanted.added == (other, c)
    assert str(wanted) == "1 new, 1 changed, 1 removed"
    nameless = TaggedExample(text="Ann left")
    corrected = TaggedExample(text="Ann left", entities=(Mention(0, 3, "person"),))
    assert str(changes([nameless], [corrected])) == "1 changed", "though its id, a hash, is another"
    assert (
        str(changes([nameless, tagged("Ann left", id="x")], [corrected])) == "1 changed, 1 removed"
    )
    assert changes([a, b], [b, a]).removed == () == changes([a, b], [b, a]).added


@pytest.mark.usefixtures("sent")
def test_what_was_edited_is_stored_at_once_or_where_it_is_too_large_change_by_change(
    wraner: Wraner, cities: Domain, editor: Path, tmp_path: Path
) -> None:
    editor.write_text(
        replacing(
            ("# id = ghent\nShe moved to [Ghent | city].\n", ""),
            ("It rains.", "It pours."),
            end="# id = new\n[Ann | person] left \\[late\\].\n",
        )
    )
    ran = wraner("domains", "examples", "edit", "cities", "--yes")
    assert ran.code == 0 and "cities: 1 new, 1 changed, 1 removed" in ran.err
    assert (
        "- She moved to [Ghent | city]." in ran.err
        and "+ [Ann | person] left \\[late\\]." in ran.err
    )
    assert stored(wraner) == {"none": "It pours.", "new": "Ann left [late]."}
    assert kept(tmp_path) == []
    about = json.loads(wraner("domains", "show", "cities").out)
    assert about["description"] == cities.description
    assert len(about["entity_types"]) == len(cities.entity_types)


@pytest.mark.usefixtures("sent")
def test_what_the_server_refuses_loses_no_example(
    wraner: Wraner, cities: Domain, editor: Path, tmp_path: Path
) -> None:
    before = stored(wraner)
    editor.write_text(replacing(("It rains.", "x" * 20001)))
    ran = wraner("domains", "examples", "edit", "cities", "--yes")
    assert ran.code == 1 and "WRANER_MAX_CHARACTERS" in ran.err and len(kept(tmp_path)) == 1
    assert stored(wraner) == before


def test_judged_examples_are_edited_too(wraner: Wraner, rules: PolicySet, editor: Path) -> None:
    editor.write_text(rewriting("rows[0]['text'] = 'Cheap clocks!'"))
    assert wraner("policies", "examples", "edit", "rules", "--yes").code == 0
    assert "clocks" in wraner("policies", "examples", "list", "rules").out


def test_nothing_changed(wraner: Wraner, cities: Domain, editor: Path, tmp_path: Path) -> None:
    first, second = "# id = ghent\nShe moved to [Ghent | city].\n", "# id = none\nIt rains.\n"
    editor.write_text(replacing((first + second, second + first)))
    ran = wraner("domains", "examples", "edit", "cities")
    assert ran.code == 0 and "nothing was changed" in ran.err and kept(tmp_path) == []


def test_a_pack_that_changed_meanwhile_is_left_alone_and_the_file_is_kept(
    wraner: Wraner, cities: Domain, editor: Path, tmp_path: Path, served: Served
) -> None:
    editor.write_text(
        replacing(("It rains.", "Mine."))
        + "import httpx\n"
        + f"httpx.delete('{served.url}/v1/domains/cities/examples/ghent').raise_for_status()\n"
    )
    ran = wraner("domains", "examples", "edit", "cities", "--yes")
    (file,) = kept(tmp_path)
    assert ran.code == 4 and "changed by somebody else" in ran.err and str(file) in ran.err
    assert "Mine." in file.read_text() and stored(wraner) == {"none": "It rains."}


@pytest.mark.parametrize(
    ("change", "code", "why"),
    [
        (replacing(("| city", "| river")), 1, ":3: entities/0/label"),
        (replacing(("[Ghent | city]", "[Ghen | city]t")), 1, "border of a word"),
        (replacing(("It rains.", "It [rains.")), 1, ":5: column 4: expected [words | label]"),
        ("raise SystemExit(3)", 2, "ended with 3"),
        (replacing(("# id = none\nIt rains.", "")), 2, "--yes"),
    ],
)
def test_what_cannot_be_stored_changes_nothing_and_is_kept(
    wraner: Wraner, cities: Domain, editor: Path, tmp_path: Path, change: str, code: int, why: str
) -> None:
    editor.write_text(change)
    before = stored(wraner)
    ran = wraner("domains", "examples", "edit", "cities")
    assert ran.code == code and why in ran.err, ran.err
    assert len(kept(tmp_path)) == 1 and str(kept(tmp_path)[0]) in ran.err
    assert stored(wraner) == before


def test_what_was_kept_is_mended_and_stored_as_is_said(
    wraner: Wraner, cities: Domain, editor: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor.write_text(replacing(("It rains.", "It pours in [Hull | town].")))
    ran = wraner("domains", "examples", "edit", "cities", "--yes")
    (file,) = kept(tmp_path)
    assert ran.code == 1 and f"'EDITOR=cp {file}' wraner domains examples edit cities" in ran.err
    file.write_text(file.read_text().replace("town", "city"))
    monkeypatch.setenv("EDITOR", f"cp {file}")
    assert wraner("domains", "examples", "edit", "cities", "--yes").code == 0
    assert stored(wraner)["none"] == "It pours in Hull."
    monkeypatch.setenv("EDITOR", "rm")
    assert "are kept in" not in wraner("domains", "examples", "edit", "cities", "--yes").err


def test_the_same_line_twice_is_named_by_both_lines(
    wraner: Wraner, cities: Domain, editor: Path
) -> None:
    editor.write_text(replacing(end="It pours.\n\nIt pours.\n"))
    ran = wraner("domains", "examples", "edit", "cities", "--yes")
    assert ran.code == 1 and ":8: expected each example once, was: the same" in ran.err
    assert "as on line 6; remove one" in ran.err


@pytest.mark.usefixtures("cities", "rules")
@pytest.mark.parametrize(("group", "name"), [("domains", "cities"), ("policies", "rules")])
def test_a_file_that_was_emptied_removes_nothing_and_the_way_that_is_named_does(
    wraner: Wraner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, group: str, name: str
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.setenv("EDITOR", "truncate -s0")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    before = wraner(group, "examples", "list", name).out
    ran = wraner(group, "examples", "edit", name, "--yes")
    assert ran.code == 1 and "the file is empty; nothing was changed" in ran.err
    assert f"`wraner {group} save {name} FOLDER`" in ran.err and len(kept(tmp_path)) == 1
    assert before and wraner(group, "examples", "list", name).out == before
    folder = tmp_path / "saved"
    assert wraner(group, "save", name, str(folder)).code == 0
    (folder / "examples.jsonl").write_text("")
    assert wraner(group, "add", name, str(folder), "--replace").code == 0
    assert wraner(group, "examples", "list", name).out == ""
    ran = wraner(group, "examples", "edit", name, "--yes")
    assert ran.code == 0 and "nothing was changed" in ran.err


def test_an_editor_that_is_not_there(
    wraner: Wraner, cities: Domain, editor: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDITOR", "no-such-editor")
    ran = wraner("domains", "examples", "edit", "cities")
    assert ran.code == 2 and "set EDITOR" in ran.err


@pytest.mark.usefixtures("sent")
def test_an_example_that_is_too_long_by_now_does_not_keep_others_from_being_edited(
    wraner: Wraner, served: Served, editor: Path
) -> None:
    long = tagged("word " * 5_000, id="long")
    pack = CITIES.model_copy(update={"examples": (*CITIES.examples, long)})
    store_as_shipped(served.state, "cities", pack)
    editor.write_text(replacing(("It rains.", "It pours.")))
    ran = wraner("domains", "examples", "edit", "cities", "--yes")
    assert ran.code == 0, ran.err
    before = stored(wraner)
    assert before["none"] == "It pours." and "long" in before
    editor.write_text(replacing(("# id = long\n", "# id = long\nmore ")))
    ran = wraner("domains", "examples", "edit", "cities", "--yes")
    assert ran.code == 1 and stored(wraner) == before, "what is too long is not lost for that"
