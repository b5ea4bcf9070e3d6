"""`wraner extract`: where texts come from, what comes out, and how it ends."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import CITIES, ROOT, Served, Wraner, pack_folder, start
from wraner.packs import Domain

pytestmark = pytest.mark.usefixtures("cities")


def records(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def texts(out: str) -> list[str]:
    return [record["text"] for record in records(out)]


def test_texts_from_arguments(wraner: Wraner) -> None:
    ran = wraner("extract", "cities", "Ann went to Hull.", "nothing here")
    assert (ran.code, ran.err) == (0, "")
    first, second = records(ran.out)
    assert list(first) == ["text", "entities", "neighbours", "coverage"]
    assert first["entities"] == [
        {"start": 0, "end": 3, "text": "Ann", "label": "city", "score": 0.9},
        {"start": 12, "end": 16, "text": "Hull", "label": "city", "score": 0.9},
    ]
    assert second["text"] == "nothing here" and second["entities"] == []


def test_texts_from_a_file_from_standard_input_and_never_from_two_places(
    wraner: Wraner, tmp_path: Path
) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_bytes(b"\xef\xbb\xbfA\r\nB")
    other.write_bytes(b"C\n")
    ran = wraner("extract", "cities", "--file", str(one), "-f", str(other))
    assert texts(ran.out) == ["A", "B", "C"]
    assert texts(wraner("extract", "cities", stdin="Ä\nB\n".encode()).out) == ["Ä", "B"]
    assert wraner("extract", "cities", "A", "--file", str(one)).code == 2
    assert wraner("extract").code == 2


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16le", "utf-16be"])
def test_files_in_utf16_are_refused_whole(wraner: Wraner, tmp_path: Path, encoding: str) -> None:
    words = "Ann went\nto Hull\n".encode(encoding)
    (tmp_path / "texts.txt").write_bytes(words)
    ran = wraner("extract", "cities", "--file", str(tmp_path / "texts.txt"))
    assert ran.code == 1 and not ran.out and "texts.txt:1: expected UTF-8 text" in ran.err
    assert "iconv -f utf-16" in ran.err
    ran = wraner("extract", "cities", stdin=words)
    assert ran.code == 1 and not ran.out and "standard input:1: expected UTF-8 text" in ran.err


@pytest.mark.usefixtures("rules")
@pytest.mark.parametrize(
    ("command", "group", "stored"),
    [("extract", "domains", "domains are cities"), ("moderate", "policies", "sets are rules")],
)
def test_a_text_without_a_name_is_told_which_names_there_are(
    wraner: Wraner, command: str, group: str, stored: str
) -> None:
    ran = wraner(command, "Ann went to Hull.")
    assert ran.code == 2 and stored in ran.err
    assert f'wraner {command} NAME "Ann went to Hull."' in ran.err
    unknown = wraner(command, "hull")
    assert unknown.code == 4 and "there is no 'hull'" in unknown.err and stored in unknown.err
    assert f"`wraner {group} list`" in wraner(command).err


def test_json_lines_keep_their_other_fields(wraner: Wraner, tmp_path: Path) -> None:
    lines = b'{"id": 7, "body": "Ann", "entities": ["gold"]}\n{"body": "Bo", "odd": "\\ud800"}\n'
    ran = wraner("extract", "cities", "--jsonl", "--jsonl-field", "body", stdin=lines)
    first, second = records(ran.out)
    assert first["id"] == 7 and first["text"] == "Ann" and first["entities"][0]["text"] == "Ann"
    assert first["given"] == {"entities": ["gold"]} and "given" not in second
    assert second["odd"] == "\ud800"
    for name in ("in.jsonl", "IN.JSONL", "in.ndjson"):
        named = tmp_path / name
        named.write_text('{"text": "Ann"}\n')
        assert texts(wraner("extract", "cities", "--file", str(named)).out) == ["Ann"]


def test_arguments_are_json_where_that_is_said(wraner: Wraner) -> None:
    field = ("--jsonl-field", "body")
    ran = wraner("extract", "cities", '{"id": 7, "body": "Ann"}', "--jsonl", *field)
    (found,) = records(ran.out)
    assert (found["id"], found["text"]) == (7, "Ann")
    for stdin, words in ((b"", ["Ann"]), (b"Ann\n", [])):
        ran = wraner("extract", "cities", *words, *field, stdin=stdin)
        assert ran.code == 2 and "was: plain texts; add --jsonl" in ran.err


BAD_LINES = {
    b"": "empty",
    b" \t": "empty",
    b"\xff\xfe": "not valid UTF-8 at byte 0",
    b"{": "not valid JSON",
    b"[1]": "expected a JSON object",
    b'{"a": 1}': "expected the text in the field 'text'",
    b'{"text": 3}': "expected a string",
    b'{"text": ""}': "empty",
    b'{"text": "\\ud800"}': "surrogate",
    b'{"text": "x", "text": "y"}': "twice",
    b'{"text": "x", "n": NaN}': "NaN",
    b'{"text": "x", "n": [-1e999]}': "beyond 1.8e+308",
    b'{"text": "x", "n": ' + b"[" * 100_000 + b"}": "nested",
    b'{"text": "x", "n": ' + b"9" * 5_000 + b"}": "digits",
    b'{"text": "' + b"x" * 20_001 + b'"}': "up to 20000 characters",
    b'{"text": "' + b"x" * (8 * 2**20) + b'"}': "longer than",
}


@pytest.mark.parametrize(
    ("bad", "why"), BAD_LINES.items(), ids=[v[:12] for v in BAD_LINES.values()]
)
def test_a_bad_line_is_named_and_does_not_lose_the_others(
    wraner: Wraner, bad: bytes, why: str
) -> None:
    lines = b'{"text": "Ann", "id": 1}\n' + bad + b'\n{"text": "Bo", "id": 3}\n'
    ran = wraner("extract", "cities", "--jsonl", stdin=lines)
    first, second, third = records(ran.out)
    assert (first["id"], third["id"]) == (1, 3)
    assert second["line"] == 2 and why in second["error"]
    assert ran.code == 1 and ran.err.startswith("wraner: line 2: ") and why in ran.err


def test_a_bad_line_of_a_file_is_named_with_its_file(wraner: Wraner, tmp_path: Path) -> None:
    one, other = tmp_path / "one.txt", tmp_path / "other.txt"
    one.write_text("A\n")
    other.write_text("B\n\nC\n")
    ran = wraner("extract", "cities", "-f", str(one), "-f", str(other))
    assert records(ran.out)[2] == {
        "file": str(other), "line": 2, "error": "empty; expected at least one visible character"
    }  # fmt: skip
    assert f"{other}:2: empty" in ran.err


def test_strict_stops_at_the_first_bad_line(wraner: Wraner) -> None:
    ran = wraner("extract", "cities", "--strict", stdin=b"A\n\nB\n\nC\n")
    assert ran.code == 1 and len(records(ran.out)) == 2
    assert "stopped at line 2; 1 text done; go on with: wraner extract" in ran.err
    assert "--skip 2" in ran.err
    rest = wraner("extract", "cities", "--skip", "2", stdin=b"A\n\nB\n\nC\n")
    assert [r.get("text", r.get("line")) for r in records(rest.out)] == ["B", 4, "C"]


def test_options_reach_the_server(wraner: Wraner) -> None:
    (found,) = records(wraner("extract", "cities", "Ann", "--types", "person", "--k", "0").out)
    assert found["entities"][0]["label"] == "person" and found["neighbours"] == []
    (found,) = records(wraner("extract", "cities", "Ann", "--min-score", "0.95").out)
    assert found["entities"] == []


@pytest.mark.parametrize("types", ["", " ", "city,"])
def test_types_that_are_empty_do_not_mean_all(wraner: Wraner, types: str) -> None:
    ran = wraner("extract", "cities", "Ann", "--types", types)
    assert ran.code == 2 and f"expected --types A,B, was: {types!r}; leave --types out" in ran.err


def test_a_pack_folder_is_sent_along(wraner: Wraner, tmp_path: Path, cities: Domain) -> None:
    folder = pack_folder(tmp_path / "own", CITIES)
    ran = wraner("extract", "--pack", folder, "Ann", "Bo")
    assert texts(ran.out) == ["Ann", "Bo"], ran.err
    assert wraner("moderate", "--pack", folder, "Ann").code == 2
    (tmp_path / "own" / "pack.yaml").write_text("kind: domain\n")
    broken = wraner("extract", "--pack", folder, "Ann")
    assert broken.code == 1 and "pack.yaml" in broken.err


def test_what_is_no_texts_fault_is_told_once(wraner: Wraner) -> None:
    ran = wraner("extract", "nowhere", stdin=b"A\nB\n")
    assert ran.code == 4 and ran.err.count("\n") == 1 and "there is no 'nowhere'" in ran.err
    assert wraner("extract", "nowhere", stdin=b"").code == 4
    forgotten = wraner("extract", "Ann went to Hull.")
    assert forgotten.code == 2 and "expected the name of a domain" in forgotten.err
    ran = wraner("extract", "cities", "A", "--types", "river")
    assert ran.code == 1 and "'river' is not declared" in ran.err


def test_versions_that_change_midway_are_told(
    wraner: Wraner, served: Served, tmp_path: Path
) -> None:
    assert "another version" not in wraner("extract", "cities", stdin=b"A\n" * 40).err
    with start("extract", "cities", url=served.url, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(b"A\n")
        process.stdin.flush()
        process.stdout.readline()
        assert wraner("domains", "examples", "remove", "cities", "none", "--yes").code == 0
        _, err = process.communicate(b"B\n")
    assert err.count(b"another version answers") == 1 and process.returncode == 0


def test_a_view_names_labels_in_brackets_where_there_are_no_colours(wraner: Wraner) -> None:
    ran = wraner("extract", "cities", "Ann\x1b[31m went to Hull.", "rain", "--format", "view")
    assert ran.out.splitlines() == [
        "[Ann | city .90]␛[31m went to [Hull | city .90].", "",
"rain  nothing found"
    ]  # fmt: skip


def test_an_unknown_server_option_and_its_place(wraner: Wraner, served: Served) -> None:
    assert wraner("extract", "cities", "A", "--server", served.url).code == 0
    assert wraner("extract", "cities", "A", "--sever", served.url).code == 2
    assert wraner("extract", "cities", "A", "--server", "nonsense").code == 1


def test_help_is_quick_and_names_every_exit_code() -> None:
    told = (
        "import sys; from cli.main import main; code = main(['--help']); "
        "print([m for m in ('torch', 'ray', 'transformers', 'numpy', 'fastapi', 'faiss') "
        "if m in sys.modules], code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[] 0"
    from cli.failures import Exit

    for code in Exit:
        assert str(int(code)) in done.stdout
