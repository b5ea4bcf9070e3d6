"""The house: one line a file in the README's map, files that stay readable, names that are ours."""

import re
import subprocess
from pathlib import Path

import index
import services
import training
import wraner

ROOT = Path(__file__).parent.parent
FOLDERS = ("wraner", "index", "training", "services", "benchmarks", "k8s", "packs", "cli")
UNMAPPED = (".ci", "tests", "adapters")
MAP_WIDTH = 110


def tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def test_packages_are_the_ones_in_this_folder() -> None:
    for package in (index, services, training, wraner):
        assert package.__file__ is not None
        assert Path(package.__file__).is_relative_to(ROOT)


def read_map() -> list[str]:
    """Return the files that the README's map names; every line of it must be understood."""
    block = (ROOT / "README.md").read_text().split("\n## Map\n")[1].split("```")[1]
    mapped: list[str] = []
    folder = ""
    for line in block.strip("\n").splitlines():
        assert len(line) <= MAP_WIDTH, line
        if match := re.match(r"(\w+)/ {2,}\S", line):
            folder = match.group(1) + "/"
        else:
            match = re.match(r" {2}([\w./-]+) {2,}\S", line)
            assert match, f"expected 'folder/  what' or '  file  what', was: {line}"
            mapped.append(folder + match.group(1))
    return mapped


def test_every_file_has_one_line_in_the_map_and_every_line_a_file() -> None:
    present = {
        name
        for name in tracked()
        if name.split("/")[0] in FOLDERS and not name.endswith("__init__.py")
    }
    mapped = read_map()
    whole = tuple(name for name in mapped if name.endswith("/"))  # folders of packs of one kind
    alone = {name for name in present if not name.startswith(whole)}
    assert sorted(alone - set(mapped)) == [], "files without a line in the README's map"
    assert sorted(set(mapped) - alone - set(whole)) == [], (
        "lines of the README's map without a file"
    )
    assert all(any(name.startswith(folder) for name in present) for folder in whole)
    assert len(mapped) == len(set(mapped)), "files with two lines"


def test_every_folder_is_known() -> None:
    folders = {name.split("/")[0] for name in tracked() if "/" in name}
    assert folders <= {*FOLDERS, *UNMAPPED}


def test_files_stay_readable() -> None:
    long = [
        f"{name}: {lines}"
        for name in tracked()
        if name.endswith(".py") and (lines := len((ROOT / name).read_text().splitlines())) > 400
    ]
    assert long == []


def test_nothing_is_called_by_a_name_that_says_nothing() -> None:
    vague = re.compile(r"(^|/)(utils?|helpers?|common|base|manager|misc)(\.py$|/)")
    # kustomize calls what overlays build upon the base
    named = (name for name in tracked() if not name.startswith("k8s/base/"))
    assert [name for name in named if vague.search(name)] == []
