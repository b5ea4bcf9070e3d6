"""`wraner import` and `wraner export`: there and back in every format."""

import json
import os
from pathlib import Path

import pytest

from cli import exports
from tests.cli.conftest import CITIES, RULES, Wraner, pack_folder
from wraner.formats.choice import Format
from wraner.pack_folders import read_pack_folder
from wraner.packs import Domain

CONLL = "Ann\tB-person\nmoved\tO\n\nTo\tO\nHull\tB-city\n\nTo\tO\nHull\tB-city\n"


def listed(wraner: Wraner, name: str) -> list[dict[str, object]]:
    return [json.loads(x) for x in wraner("domains", "examples", "list", name).out.splitlines()]


@pytest.mark.parametrize("format_", list(Format))
def test_out_of_one_domain_into_another(
    wraner: Wraner, cities: Domain, tmp_path: Path, format_: Format
) -> None:
    file = tmp_path / "file"
    ran = wraner("export", "--domain", "cities", "--format", format_, "-o", str(file))
    assert ran.code == 0 and f"wrote 2 examples to {file}" in ran.err, ran.err
    ran = wraner("import", str(file), "--format", format_, "--domain", "copy")
    assert ran.code == 0, ran.err
    assert "copy was not stored before; its entity types have no definitions yet: city" in ran.err
    assert listed(wraner, "copy") == listed(wraner, "cities")
    printed = wraner("export", "--domain", "cities", "--format", format_)
    assert printed.out == file.read_text()


def test_into_a_folder_and_out_of_it(wraner: Wraner, tmp_path: Path) -> None:
    file, folder = tmp_path / "a.conll", tmp_path / "packs" / "news"
    file.write_text(CONLL)
    ran = wraner("import", str(file), "--folder", str(folder))
    assert ran.code == 0 and "2 examples (1 repetition left out)" in ran.err
    pack = read_pack_folder(folder)
    assert isinstance(pack, Domain) and pack.labels == ("person", "city")
    assert [e.text for e in pack.examples] == ["Ann moved", "To Hull"]
    assert [path.name for path in folder.parent.iterdir()] == ["news"]
    out = wraner("export", "--folder", str(folder), "--format", "conll")
    assert out.out.split() == CONLL.split()[:8]
    again = wraner("import", str(file), "--folder", str(folder))
    assert again.code == 4 and "exists already" in again.err


def test_what_is_held_already_is_counted(wraner: Wraner, tmp_path: Path, cities: Domain) -> None:
    file = tmp_path / "a.conll"
    file.write_text(CONLL)
    first = wraner("import", str(file), "--domain", "cities")
    assert "cities: 2 examples (1 repetition left out); 4 examples now" in first.err
    second = wraner("import", str(file), "--domain", "cities")
    assert second.code == 0
    assert "2 examples (1 repetition left out), 2 of them held already; 4 examples" in second.err


def test_more_examples_than_one_call_may_carry(wraner: Wraner, tmp_path: Path) -> None:
    file = tmp_path / "a.conll"
    file.write_text("".join(f"No\tO\n{n}\tB-number\n\n" for n in range(2_100)))
    ran = wraner("import", str(file), "--domain", "numbers")
    assert ran.code == 0 and "2100 examples now" in ran.err


def test_a_file_that_breaks_a_rule_stores_nothing(wraner: Wraner, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    good = CITIES.examples[0].model_dump_json()
    file.write_text(good + "\n{\n")
    ran = wraner("import", str(file), "--domain", "mine")
    assert ran.code == 1 and f"{file}:2" in ran.err
    file.write_text(good + "\n" + good.replace("She", "Who") + "\n")
    ran = wraner("import", str(file), "--domain", "mine")
    assert ran.code == 4 and "two examples with the id 'ghent' differ" in ran.err
    said = '{"text": "Ann saw Bob.", "id": "a", "entities": [%s]}\n'
    ann, bob = (f'{{"start": {s}, "end": {s + 3}, "label": "person"}}' for s in (0, 8))
    file.write_text(said % f"{ann}, {bob}" + said % f"{bob}, {ann}")
    assert wraner("import", str(file), "--folder", str(tmp_path / "same")).code == 0
    cut = '{"text": "Ann left.", "entities": [{"start": 0, "end": 2, "label": "person"}]}'
    file.write_text(f"{good}\n{cut}\n")
    ran = wraner("import", str(file), "--domain", "mine")
    assert ran.code == 1 and "border of a word" in ran.err and str(file) in ran.err
    fifo = tmp_path / "fifo.jsonl"
    os.mkfifo(fifo)
    ran = wraner("import", str(fifo), "--domain", "mine")
    assert ran.code == 2 and "can be read twice" in ran.err
    file.write_text('{"text": "It rains."}\n')
    ran = wraner("import", str(file), "--domain", "mine")
    assert ran.code == 1 and "no example has an entity" in ran.err
    assert wraner("domains", "list").out == ""


def test_labels_that_a_domain_does_not_have(wraner: Wraner, cities: Domain, tmp_path: Path) -> None:
    file = tmp_path / "a.conll"
    file.write_text("Elbe\tB-river\n")
    ran = wraner("import", str(file), "--domain", "cities")
    assert ran.code == 1 and "river: no entity type of 'cities', which has city, person" in ran.err


def test_what_does_not_go_together(wraner: Wraner, tmp_path: Path, cities: Domain) -> None:
    file = tmp_path / "a.txt"
    file.write_text(CONLL)
    assert "expected --format" in wraner("import", str(file), "--domain", "x").err
    table = file.rename(tmp_path / "a.CSV")
    ran = wraner("import", str(table), "--domain", "x")
    assert ran.code == 2 and "CSV and TSV are none of them: write a text a line" in ran.err
    file.write_text(CONLL)
    assert "CSV" not in wraner("import", str(file), "--domain", "x").err
    assert "was: neither" in wraner("import", str(file), "--format", "conll").err
    both = ("--domain", "x", "--folder", str(tmp_path))
    assert "was: both" in wraner("export", *both, "--format", "conll").err
    assert wraner("export", "--domain", "cities").code == 2
    folder = pack_folder(tmp_path / "rules", RULES)
    ran = wraner("export", "--folder", folder, "--format", "jsonl")
    assert ran.code == 2 and f"{folder}, a policy set" in ran.err and "examples.jsonl" in ran.err
    assert wraner("export", "--domain", "nowhere", "--format", "jsonl").code == 4


@pytest.mark.usefixtures("rules")
def test_a_policy_set_is_shown_the_way(wraner: Wraner, tmp_path: Path) -> None:
    ran = wraner("export", "--domain", "rules", "--format", "conll")
    assert ran.code == 2 and "`wraner policies save rules FOLDER`" in ran.err
    assert "`wraner policies examples list rules --format jsonl`" in ran.err
    file = tmp_path / "e.jsonl"
    file.write_text(f'{{"text": "It rains."}}\n{RULES.examples[0].model_dump_json()}\n')
    ran = wraner("import", str(file), "--folder", str(tmp_path / "new"))
    told = f"wraner: {file}:2: this is an example of a policy set, for it has complies and violates"
    assert ran.code == 1 and ran.err.startswith(told)
    assert "wraner policies examples add NAME FILE" in ran.err
    file.write_text(CITIES.examples[0].model_dump_json())
    ran = wraner("policies", "examples", "add", "rules", str(file))
    assert ran.code == 1 and "wraner domains examples add NAME FILE" in ran.err


def test_a_file_is_replaced_whole_or_not_at_all(
    wraner: Wraner, cities: Domain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "out" / "a.jsonl"
    file.parent.mkdir()
    file.write_text("before")

    def breaking(examples: object, out: object, chosen: object) -> None:
        out.write(b"half")  # type: ignore[attr-defined]
        raise OSError(28, "No space left on device", str(file))

    with monkeypatch.context() as patched:
        patched.setattr(exports, "write", breaking)
        ran = wraner("export", "--domain", "cities", "-o", str(file))
    assert ran.code == 1 and ran.err == f"wraner: {file}: No space left on device\n"
    assert file.read_text() == "before" and list(file.parent.iterdir()) == [file]
    assert wraner("export", "--domain", "cities", "-o", str(file)).code == 0
    assert len(file.read_text().splitlines()) == 2
    assert file.stat().st_mode & 0o777 == 0o666 & ~exports._umask()


@pytest.mark.usefixtures("cities")
def test_a_link_stays_one_and_a_mode_too(wraner: Wraner, tmp_path: Path) -> None:
    file, link = tmp_path / "a.jsonl", tmp_path / "link.jsonl"
    file.write_text("before")
    file.chmod(0o600)
    link.symlink_to(file)
    assert wraner("export", "--domain", "cities", "-o", str(link)).code == 0
    assert link.is_symlink() and len(file.read_text().splitlines()) == 2
    assert file.stat().st_mode & 0o777 == 0o600
    ran = wraner("export", "--domain", "cities", "--format", "jsonl", "-o", "/dev/null")
    assert ran.code == 0 and Path("/dev/null").is_char_device()
    end, into = os.pipe()
    ran = wraner("export", "--domain", "cities", "--format", "jsonl", "-o", f"/dev/fd/{into}")
    os.close(into)
    with os.fdopen(end) as written:
        assert ran.code == 0 and len(written.read().splitlines()) == 2, ran.err
