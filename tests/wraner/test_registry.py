"""The pack store: what is written is read back, edits never lose, damage stays where it is."""

import json
import shutil
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wraner.edits import with_examples, without_example
from wraner.entities import Mention
from wraner.errors import Conflict, InvalidInput, NotFound, Stale, Unavailable
from wraner.pack_folders import read_examples, read_pack_folder, write_pack_folder
from wraner.packs import (
    Domain,
    EntityType,
    JudgedExample,
    Policy,
    PolicySet,
    TaggedExample,
    definitions_of,
    version,
)
from wraner.registry import Kind, PackStore, check_name, missing_shipped

DOMAIN = Domain(
    description="Rivers.",
    entity_types=(EntityType(name="river", definition="a stream: of water"),),
    examples=(
        TaggedExample(id="a", text="The Elbe.", entities=(Mention(4, 8, "river"),)),
        TaggedExample(id="b", text="No water here."),
    ),
)
POLICIES = PolicySet(
    policies=(Policy(id="p", title="P", definition="d", includes=("x",), threshold=0.5),),
    examples=(
        JudgedExample(id="v", text="bad", violates=("p",)),
        JudgedExample(id="c", text="good", complies="all"),
    ),
)
# Surrogates are no text: JSON bodies and files that hold them are refused before they get here.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
LINE = TEXT.filter(lambda s: s.strip() and s == s.strip() and len(s.splitlines()) == 1)


@pytest.fixture
def store(tmp_path: Path) -> PackStore:
    return PackStore(tmp_path / "state")


@pytest.mark.parametrize("pack", [DOMAIN, POLICIES])
def test_a_folder_is_read_back_as_it_was_written(tmp_path: Path, pack: Domain | PolicySet) -> None:
    write_pack_folder(tmp_path / "p", pack)
    assert read_pack_folder(tmp_path / "p") == pack


@given(TEXT, LINE, TEXT, TEXT.filter(str.strip))
def test_any_text_survives_the_files(
    tmp_path_factory: pytest.TempPathFactory,
    description: str,
    name: str,
    definition: str,
    text: str,
) -> None:
    pack = Domain(
        description=description,
        entity_types=(EntityType(name=name, definition=definition),),
        examples=(TaggedExample(text=text),),
    )
    folder = tmp_path_factory.mktemp("pack")
    write_pack_folder(folder, pack)
    assert version(read_pack_folder(folder)) == version(pack)


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("kind: domain\nentity_types:\n  - name: a\n  - nam: b\n", "pack.yaml:4: entity_types/1"),
        ("kind: domain\nentity_types:\n  - name: a\n  - name: a\n", "pack.yaml:4: entity_types/1"),
        ("kind: domain\nkind: domain\n", "pack.yaml:2: expected each key once"),
        ("kind: domain\nentity_types: &x [*x]\n", "pack.yaml:2: entity_types/0"),
        ("kind: thing\n", "expected kind: domain or policy-set"),
        ("kind: [\n", "not valid YAML"),
        ("kind: [domain]\n", "expected kind: domain or policy-set"),
        ("kind: domain\ndescription: 2001-02-30\n", "not valid YAML: day is out of range"),
        ("kind: domain\nentity_types: !!timestamp abc\n", "not valid YAML"),
        ("- a\n", "expected a mapping"),
        ("", "expected a mapping"),
        ("? [a]\n: b\n", "pack.yaml:1: expected each key once"),
        ("kind: domain\nexamples: []\n", "examples belong into examples.jsonl"),
        ("kind: !!python/object:os.system {}\n", "not valid YAML"),
    ],
)
def test_errors_in_definitions_name_file_and_line(tmp_path: Path, yaml: str, expected: str) -> None:
    (tmp_path / "pack.yaml").write_text(yaml)
    (tmp_path / "examples.jsonl").write_text("")
    with pytest.raises(InvalidInput, match=expected):
        read_pack_folder(tmp_path)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("{", r"examples.jsonl:2: Invalid JSON"),
        ('{"text": "x", "entities": [{"start": 0, "end": 9, "label": "river"}]}', ":2: entities/0"),
        ('{"text": "x", "entities": [{"start": 0, "end": 1, "label": "sea"}]}', ":2: .*declared"),
        ('{"text": "x", "tags": []}', ":2: tags: this field is not known"),
        ('{"id": "a", "text": "x"}', ":2: expected each example once"),
    ],
)
def test_errors_in_examples_name_file_and_line(tmp_path: Path, line: str, expected: str) -> None:
    write_pack_folder(tmp_path, DOMAIN)
    first = DOMAIN.examples[0].model_dump_json()
    (tmp_path / "examples.jsonl").write_text(f"{first}\n{line}\n")
    with pytest.raises(InvalidInput, match=expected):
        read_pack_folder(tmp_path)


def test_examples_may_begin_with_a_byte_order_mark_and_must_be_utf8(tmp_path: Path) -> None:
    write_pack_folder(tmp_path, DOMAIN)
    file = tmp_path / "examples.jsonl"
    line = json.dumps({"text": "Die Öder.\u2028 It is long."}, ensure_ascii=False) + "\r\n"
    file.write_bytes(b"\xef\xbb\xbf" + line.encode())
    assert [e.text for e in read_examples(file, DOMAIN)] == ["Die Öder.\u2028 It is long."]
    file.write_bytes(line.encode("utf-16"))
    with pytest.raises(InvalidInput, match=r"examples.jsonl:1: expected UTF-8.*UTF-16.*iconv"):
        read_examples(file, DOMAIN)
    file.write_bytes(b'{"text": "Oder"}\n' + line.encode("latin1", "replace"))
    with pytest.raises(InvalidInput, match=r"examples.jsonl:2: expected UTF-8.*latin1"):
        read_examples(file, DOMAIN)


def test_test_examples_are_read_by_name(tmp_path: Path) -> None:
    write_pack_folder(tmp_path, DOMAIN)
    (tmp_path / "test.jsonl").write_text(json.dumps({"text": "The Oder."}) + "\n\n")
    assert [e.text for e in read_examples(tmp_path / "test.jsonl", DOMAIN)] == ["The Oder."]


def test_a_published_pack_is_current_and_whole(store: PackStore) -> None:
    made = store.publish("rivers", DOMAIN, expected=None)
    assert made == version(DOMAIN) == store.current(Kind.DOMAIN, "rivers")
    assert store.pack(Kind.DOMAIN, "rivers", made) == DOMAIN
    stored = store.stored(Kind.DOMAIN, "rivers", made)
    assert (stored.definitions, stored.examples) == (definitions_of(DOMAIN), 2)
    assert store.names(Kind.DOMAIN) == ["rivers"] and store.names(Kind.POLICY_SET) == []


def test_examples_are_read_page_by_page(store: PackStore) -> None:
    made = store.publish("rivers", DOMAIN, expected=None)

    def page(after: str, limit: int) -> list[str]:
        found = store.examples(Kind.DOMAIN, "rivers", made, after=after, limit=limit)
        return [e.id for e in found]

    assert page("", 1) == ["a"] and page("a", 5) == ["b"] and page("b", 5) == []
    with pytest.raises(NotFound):
        page("z", 1)


@pytest.mark.parametrize("name", ["b", 'the "Öder"', "a\\b/c"])
def test_a_page_is_read_without_the_examples_before_it(
    store: PackStore, tmp_path: Path, name: str
) -> None:
    examples = tuple(TaggedExample(id=i, text="The Oder.") for i in ("a", name, "c", "d"))
    pack = DOMAIN.model_copy(update={"examples": examples})
    made = store.publish("rivers", pack, expected=None)
    (file,) = tmp_path.rglob("examples.jsonl")
    good = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([b"{}\n", *good[1:]]))

    def page(after: str) -> list[str]:
        found = store.examples(Kind.DOMAIN, "rivers", made, after=after, limit=2)
        return [e.id for e in found]

    assert page(name) == ["c", "d"] and page("d") == []
    with pytest.raises(Unavailable, match=r"examples.jsonl:1: "):
        page("")
    file.write_bytes(b"".join([*good[:3], b"{}\n"]))
    with pytest.raises(Unavailable, match=r"examples.jsonl:4: "):
        page(name)


def test_a_stale_write_changes_nothing(store: PackStore) -> None:
    first = store.publish("rivers", DOMAIN, expected=None)
    with pytest.raises(Stale):
        store.publish("rivers", without_example(DOMAIN, "a"), expected=None)
    with pytest.raises(Stale):
        store.delete(Kind.DOMAIN, "rivers", expected="0" * 64)
    assert store.current(Kind.DOMAIN, "rivers") == first
    with pytest.raises(NotFound):
        store.publish("lakes", DOMAIN, expected=first)


def test_racing_writers_lose_nothing(store: PackStore) -> None:
    store.publish("rivers", DOMAIN, expected=None)

    def add(number: int) -> None:
        while True:
            seen = store.current(Kind.DOMAIN, "rivers")
            pack = store.pack(Kind.DOMAIN, "rivers", seen)
            more = with_examples(pack, [TaggedExample(id=f"n{number}", text=f"{number}")])
            try:
                store.publish("rivers", more, expected=seen)
                return
            except Stale:
                continue

    threads = [threading.Thread(target=add, args=(n,)) for n in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    pack = store.pack(Kind.DOMAIN, "rivers", store.current(Kind.DOMAIN, "rivers"))
    assert {e.id for e in pack.examples} == {"a", "b", *(f"n{n}" for n in range(8))}


def test_old_versions_stay_readable_until_they_are_pruned(store: PackStore) -> None:
    old = store.publish("rivers", DOMAIN, expected=None)
    new = store.publish("rivers", without_example(DOMAIN, "a"), expected=old)
    assert store.prune(Kind.DOMAIN, "rivers", superseded_for_s=60) == []
    assert store.pack(Kind.DOMAIN, "rivers", old) == DOMAIN
    assert store.prune(Kind.DOMAIN, "rivers", superseded_for_s=-1) == [old]
    assert store.versions() == {new}
    with pytest.raises(Unavailable):
        store.pack(Kind.DOMAIN, "rivers", old)


def test_a_damaged_pack_spoils_only_itself(store: PackStore, tmp_path: Path) -> None:
    made = store.publish("rivers", DOMAIN, expected=None)
    store.publish("lakes", without_example(DOMAIN, "b"), expected=None)
    folder = tmp_path / "state" / "domains" / "rivers" / "versions" / made
    (folder / "examples.jsonl").write_text('{"id": "a", "text": "cut o')
    with pytest.raises(Unavailable, match=r"examples.jsonl:1: .*PUT /v1/domains/rivers"):
        store.pack(Kind.DOMAIN, "rivers", made)
    (folder / "examples.jsonl").write_text("")
    with pytest.raises(Unavailable, match="does not match its version"):
        store.pack(Kind.DOMAIN, "rivers", made)
    (folder / "pack.yaml").write_text("kind: [")
    with pytest.raises(Unavailable, match=r"pack.yaml: not valid YAML"):
        store.stored(Kind.DOMAIN, "rivers", made)
    assert store.pack(Kind.DOMAIN, "lakes", store.current(Kind.DOMAIN, "lakes"))
    assert store.publish("rivers", DOMAIN, expected=made) == made
    assert store.pack(Kind.DOMAIN, "rivers", made) == DOMAIN


def test_a_stray_folder_is_no_pack(store: PackStore, tmp_path: Path) -> None:
    store.publish("rivers", DOMAIN, expected=None)
    (home,) = tmp_path.rglob("rivers")
    shutil.copytree(home, home.with_name("rivers.bak"))
    assert store.names(Kind.DOMAIN) == ["rivers"]


def test_a_damaged_pointer_can_be_written_anew(store: PackStore, tmp_path: Path) -> None:
    store.publish("rivers", DOMAIN, expected=None)
    (tmp_path / "state" / "domains" / "rivers" / "CURRENT").write_bytes(b"\xff")
    with pytest.raises(Unavailable, match="domains/rivers/CURRENT is damaged"):
        store.current(Kind.DOMAIN, "rivers")
    store.discard_damaged(Kind.DOMAIN, "rivers")
    store.publish("rivers", DOMAIN, expected=None)
    assert store.current(Kind.DOMAIN, "rivers") == version(DOMAIN)


def test_shipped_packs_come_once_and_not_after_deletion(store: PackStore, tmp_path: Path) -> None:
    write_pack_folder(tmp_path / "packs" / "rivers", DOMAIN)
    write_pack_folder(tmp_path / "packs" / "rules", POLICIES)
    for folder in missing_shipped(store, tmp_path / "packs"):
        store.publish(folder.name, read_pack_folder(folder), expected=None)
    assert store.names(Kind.DOMAIN) == ["rivers"] and store.names(Kind.POLICY_SET) == ["rules"]
    assert missing_shipped(store, tmp_path / "packs") == []
    store.delete(Kind.DOMAIN, "rivers", expected=version(DOMAIN))
    assert missing_shipped(store, tmp_path / "packs") == []
    with pytest.raises(NotFound):
        store.delete(Kind.DOMAIN, "rivers", expected=version(DOMAIN))


def test_entities_in_another_order_are_the_same_example() -> None:
    mentions = (Mention(0, 3, "river"), Mention(8, 11, "river"))
    text = "Ann met Bob."
    stored = TaggedExample(id="x", text=text, entities=mentions[::-1])
    pack = with_examples(DOMAIN, [stored])
    again = TaggedExample(id="x", text=text, entities=mentions)
    assert with_examples(pack, [again]) is pack
    with pytest.raises(Conflict):
        with_examples(pack, [TaggedExample(id="x", text=text, entities=mentions[:1])])


def test_edits_keep_ids_apart() -> None:
    assert with_examples(DOMAIN, [DOMAIN.examples[0]]) is DOMAIN
    with pytest.raises(Conflict, match="'b' is stored with other content"):
        with_examples(DOMAIN, [TaggedExample(id="b", text="other")])
    with pytest.raises(NotFound):
        without_example(DOMAIN, "z")


@pytest.mark.parametrize("name", ["", "A", "a/b", "..", "a" * 64, "ä", "a\n"])
def test_names_that_cannot_stand_in_a_url_are_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        check_name(name)
