"""`wraner domains` and `wraner policies`: stored packs and their examples."""

import json
from pathlib import Path
from typing import Any

import pytest

from cli.counts import counted
from tests.cli.conftest import CITIES, RULES, Served, Wraner, pack_folder, tagged
from wraner.client.asynchronous import AsyncClient
from wraner.client.problems import Invalid
from wraner.client.replies import Problem
from wraner.packs import Domain, Policy, PolicySet

GROUPS = pytest.mark.parametrize(
    ("group", "pack"), [("domains", CITIES), ("policies", RULES)], ids=["domains", "policies"]
)


@GROUPS
def test_a_pack_is_added_listed_shown_and_removed(
    wraner: Wraner, tmp_path: Path, group: str, pack: Domain | PolicySet
) -> None:
    folder = pack_folder(tmp_path / "pack", pack)
    assert wraner(group, "list").out == ""
    ran = wraner(group, "add", "mine", folder)
    assert ran.code == 0 and f"stored mine: {counted(len(pack.examples), 'example')}, " in ran.err
    (listed,) = [json.loads(line) for line in wraner(group, "list").out.splitlines()]
    shown = json.loads(wraner(group, "show", "mine").out)
    assert shown == listed and shown["examples"] == len(pack.examples)
    assert ("policies" in shown) != ("entity_types" in shown)
    assert wraner(group, "remove", "mine").code == 2  # nobody to ask
    assert wraner(group, "show", "mine").code == 0
    assert wraner(group, "remove", "mine", "--yes").code == 0
    gone = wraner(group, "show", "mine")
    assert gone.code == 4 and gone.err.startswith("wraner: there is no 'mine'")


@GROUPS
def test_the_view_is_a_table(
    wraner: Wraner, tmp_path: Path, group: str, pack: Domain | PolicySet
) -> None:
    assert "nothing is stored" in wraner(group, "list", "--format", "view").out
    wraner(group, "add", "mine", pack_folder(tmp_path / "pack", pack))
    listed = wraner(group, "list", "--format", "view").out.splitlines()
    assert listed[0].split() == ["name", "examples", "definitions", "description"]
    assert listed[1].split()[:2] == ["mine", str(len(pack.examples))]
    shown = wraner(group, "show", "mine", "--format", "view").out
    assert pack.description in shown and ("city" in shown or "Spam" in shown)
    examples = wraner(group, "examples", "list", "mine", "--format", "view").out
    assert all(e.id in examples and e.text in examples for e in pack.examples)


def test_the_view_tells_which_policies_name_what_alone_is_allowed(
    wraner: Wraner, tmp_path: Path
) -> None:
    only = Policy(id="cats", title="Cats", definition="Anything but cats.")
    pack = RULES.model_copy(update={"policies": (*RULES.policies, only)})
    wraner("policies", "add", "mine", pack_folder(tmp_path / "pack", pack))
    shown = wraner("policies", "show", "mine", "--format", "view").out
    told = [line for line in shown.splitlines() if "allowed alone" in line]
    assert len(told) == 1 and "Cats" in told[0]


def test_the_view_tells_all_that_decides(wraner: Wraner, tmp_path: Path) -> None:
    told = {"includes": ("Chain letters",), "excludes": ("Receipts",), "threshold": 1.0}
    policy = RULES.policies[0].model_copy(update=told)
    pack = RULES.model_copy(update={"policies": (policy,)})
    wraner("policies", "add", "mine", pack_folder(tmp_path / "pack", pack))
    shown = wraner("policies", "show", "mine", "--format", "view").out
    for words in ("includes: Chain letters", "excludes: Receipts", "threshold: 1.0"):
        assert words in shown


def test_a_name_that_is_taken_is_not_overwritten_unasked(wraner: Wraner, tmp_path: Path) -> None:
    folder = pack_folder(tmp_path / "pack", CITIES)
    other = pack_folder(tmp_path / "other", CITIES.model_copy(update={"description": "other"}))
    assert wraner("domains", "add", "mine", folder).code == 0
    refused = wraner("domains", "add", "mine", other)
    assert refused.code == 4 and "--replace" in refused.err
    assert json.loads(wraner("domains", "show", "mine").out)["description"] != "other"
    assert wraner("domains", "add", "mine", other, "--replace").code == 0
    assert json.loads(wraner("domains", "show", "mine").out)["description"] == "other"


def test_a_pack_of_more_examples_than_one_call_may_carry(wraner: Wraner, tmp_path: Path) -> None:
    examples = tuple(tagged(f"text {n}", id=f"e{n}") for n in range(2_500))
    folder = pack_folder(tmp_path / "big", CITIES.model_copy(update={"examples": examples}))
    ran = wraner("domains", "add", "big", folder)
    assert ran.code == 0 and "2500 examples" in ran.err
    listed = [
        json.loads(x)["id"]
        for x in wraner("domains", "examples", "list", "big").out.split("\n")
        if x
    ]
    assert listed == [e.id for e in examples]


def test_a_large_pack_is_replaced_at_once_where_little_changed(
    wraner: Wraner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = tuple(tagged(f"text {n}", id=f"e{n}") for n in range(1_200))
    big = CITIES.model_copy(update={"examples": examples})
    assert wraner("domains", "add", "big", pack_folder(tmp_path / "big", big)).code == 0

    async def in_pieces(*_: object, **__: object) -> None:
        raise AssertionError("the pack was without its later examples for a while")

    other = big.model_copy(update={"description": "other"})
    with monkeypatch.context() as patched:
        patched.setattr("cli.shelf.Shelf.extend", in_pieces)
        ran = wraner("domains", "add", "big", pack_folder(tmp_path / "o", other), "--replace")
    assert ran.code == 0 and "1200 examples" in ran.err
    assert json.loads(wraner("domains", "show", "big").out)["description"] == "other"
    anew = big.model_copy(update={"examples": tuple(tagged(f"new {n}") for n in range(1_200))})
    ran = wraner("domains", "add", "big", pack_folder(tmp_path / "anew", anew), "--replace")
    assert ran.code == 0 and "1200 examples" in ran.err


@pytest.mark.parametrize(("status", "pointer"), [(413, ""), (422, "/examples")])
def test_a_pack_is_halved_until_a_server_takes_it(
    wraner: Wraner,
    served: Served,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    pointer: str,
) -> None:
    examples = tuple(tagged("word " * 30 + str(n), id=f"e{n}") for n in range(40))
    big = CITIES.model_copy(update={"examples": examples})
    sent: list[int] = []
    put, add = AsyncClient.put_domain, AsyncClient.add_domain_examples

    def taken(count: int) -> None:
        if count > 7:
            words = {"type": "", "title": "Too much", "detail": "7 at most", "request_id": "r"}
            raise Invalid(Problem.model_validate({**words, "status": status, "pointer": pointer}))
        sent.append(count)

    async def small_put(self: AsyncClient, name: str, pack: Domain, **how: Any) -> Any:
        taken(len(pack.examples))
        return await put(self, name, pack, **how)

    async def small_add(self: AsyncClient, name: str, piece: Any, **how: Any) -> Any:
        taken(len(piece))
        return await add(self, name, piece, **how)

    monkeypatch.setattr(AsyncClient, "put_domain", small_put)
    monkeypatch.setattr(AsyncClient, "add_domain_examples", small_add)
    for replace in ((), ("--replace",)):
        sent.clear()
        ran = wraner("domains", "add", "big", pack_folder(tmp_path / f"b{replace}", big), *replace)
        assert ran.code == 0 and "40 examples" in ran.err, ran.err
        assert sum(sent) == 40 and max(sent) <= 7
    listed = wraner("domains", "examples", "list", "big").out.splitlines()
    assert [json.loads(line)["id"] for line in listed] == [e.id for e in examples]


def test_a_folder_that_breaks_a_rule_or_is_of_the_other_kind(
    wraner: Wraner, tmp_path: Path
) -> None:
    policies = pack_folder(tmp_path / "rules", RULES)
    refused = wraner("domains", "add", "mine", policies)
    assert refused.code == 2 and "wraner policies add" in refused.err
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "pack.yaml").write_text("kind: domain\nentity_types: [{name: 3}]\n")
    ran = wraner("domains", "add", "mine", str(broken))
    assert ran.code == 1 and "pack.yaml:2" in ran.err and ran.err.count("\n") == 1
    assert wraner("domains", "add", "Bad Name", policies).code == 2


def test_examples_are_listed_added_and_removed(
    wraner: Wraner, cities: Domain, tmp_path: Path
) -> None:
    more = tmp_path / "more.jsonl"
    more.write_text('{"id": "new", "text": "Up to Hull.", "entities": []}\n'
                    '{"id": "none", "text": "It rains."}\n')  # fmt: skip
    ran = wraner("domains", "examples", "add", "cities", str(more))
    assert ran.code == 0 and "1 added, 1 held already; 3 examples now" in ran.err
    listed = wraner("domains", "examples", "list", "cities").out.splitlines()
    assert [json.loads(line)["id"] for line in listed] == ["ghent", "none", "new"]
    more.write_text('{"id": "none", "text": "Another text."}\n')
    assert wraner("domains", "examples", "add", "cities", str(more)).code == 4
    assert wraner("domains", "examples", "remove", "cities", "new", "none", "--yes").code == 0
    assert len(wraner("domains", "examples", "list", "cities").out.splitlines()) == 1
    assert wraner("domains", "examples", "remove", "cities", "new", "--yes").code == 4
    more.write_text('{"text": \n')
    refused = wraner("domains", "examples", "add", "cities", str(more))
    assert refused.code == 1 and f"{more}:1" in refused.err


def test_examples_that_do_not_fit_are_refused_before_any_is_sent(
    wraner: Wraner, cities: Domain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.shelf.PIECE_EXAMPLES", 1)
    more = tmp_path / "more.jsonl"
    good = '{"text": "Up to Hull."}\n'
    entity = '{"start": 0, "end": 2, "label": "river"}'
    more.write_text(good + '{"text": "Up to Bath.", "entities": [' + entity + "]}\n")
    refused = wraner("domains", "examples", "add", "cities", str(more))
    assert refused.code == 1 and f"{more}:2: entities/0/label" in refused.err
    assert len(wraner("domains", "examples", "list", "cities").out.splitlines()) == 2
    more.write_text(good + '{"text": "' + "x" * 20_001 + '"}\n')
    refused = wraner("domains", "examples", "add", "cities", str(more))
    said = "cities: the first example was stored before this; add the file again"
    assert refused.code == 1 and said in refused.err


def test_judged_examples_are_added(wraner: Wraner, rules: PolicySet, tmp_path: Path) -> None:
    more = tmp_path / "more.jsonl"
    more.write_text(
        '{"text": "Buy!", "violates": ["no-spam"]}\n{"text": "Hi", "complies": "all"}\n'
    )
    ran = wraner("policies", "examples", "add", "rules", str(more))
    assert ran.code == 0 and "2 added, 0 held already; 3 examples now" in ran.err
    view = wraner("policies", "examples", "list", "rules", "--format", "view").out
    assert "violates no-spam" in view and "complies with all" in view


def test_what_is_stored_of_a_pack_that_fails_midway_is_said(
    wraner: Wraner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.shelf.PIECE_EXAMPLES", 2)
    words = ["a", "b", "c", "x" * 20_001]
    examples = tuple(tagged(text, id=f"e{n}") for n, text in enumerate(words))
    folder = pack_folder(tmp_path / "pack", CITIES.model_copy(update={"examples": examples}))
    ran = wraner("domains", "add", "mine", folder)
    assert ran.code == 1 and "WRANER_MAX_CHARACTERS" in ran.err
    assert "mine: the first 2 examples were stored before this; repeat with --replace" in ran.err
