"""`wraner policies diff`: verdicts that flip, how they are shown, and what a script can tell."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from cli.change_views import show_changes
from cli.shelf import Shelf
from tests.cli.conftest import CITIES, RULES, Served, Wraner, pack_folder
from wraner.client.asynchronous import AsyncClient
from wraner.packs import Example, JudgedExample, PolicySet
from wraner.policy_changes import compare

pytestmark = pytest.mark.usefixtures("rules")

MILD = "wraner: line 2: empty; expected at least one visible character"


def changed(**fields: Any) -> PolicySet:
    """The stored rules with other fields of their one policy."""
    policy = RULES.policies[0].model_copy(update=fields)
    return RULES.model_copy(update={"policies": (policy,)})


@pytest.fixture
def strict(tmp_path: Path) -> str:
    """A folder of the same rules under which even "fine" is for a person to review."""
    return pack_folder(tmp_path / "strict", changed(threshold=0.1, definition="Advertises goods."))


def records(out: str) -> list[Any]:
    return [json.loads(line) for line in out.splitlines()]


def test_flips_alone_are_listed_and_then_counted(wraner: Wraner, strict: str) -> None:
    ran = wraner("policies", "diff", "rules", strict, stdin=b"bad\nfine\n")
    flip, last = records(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert list(flip) == ["text", "old", "new", "came", "went"] and flip["text"] == "fine"
    assert (flip["old"]["decision"], flip["new"]["decision"]) == ("allowed", "review")
    assert (flip["came"], flip["went"]) == (["no-spam"], [])
    summary = last["summary"]
    assert summary["texts"] == 2 and summary["unchanged"] == 1 and summary["refused"] == 0
    assert summary["to"] == {"violates": 0, "review": 1, "allowed": 0}
    (policy,) = summary["changes"]["changed"]
    assert {f["field"]: (f["old"], f["new"]) for f in policy["fields"]} == {
        "threshold": (None, 0.1),
        "definition": ("Advertises.", "Advertises goods."),
    }


def test_texts_come_from_files_as_elsewhere(wraner: Wraner, strict: str, tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    file.write_text('{"text": "fine", "id": 7}\n{"text": "bad"}\n')
    flip, last = records(wraner("policies", "diff", "rules", strict, "--on", str(file)).out)
    assert (flip["id"], last["summary"]["texts"]) == (7, 2)
    assert records(wraner("policies", "diff", "rules", strict, "-f", str(file)).out)[0] == flip
    assert records(wraner("policies", "diff", "rules", strict, "fine").out)[0]["text"] == "fine"


def test_a_refused_text_is_named_and_the_rest_goes_on(wraner: Wraner, strict: str) -> None:
    long = b"x" * 20_001
    ran = wraner("policies", "diff", "rules", strict, stdin=b"fine\n \n" + long + b"\nfine\n")
    first, blank, over, second, last = records(ran.out)
    assert ran.code == 1 and ran.err.splitlines()[0] == MILD
    assert first["text"] == second["text"] == "fine"
    assert "empty" in blank["error"] and "20000 characters" in over["error"]
    assert (last["summary"]["texts"], last["summary"]["refused"]) == (2, 2)


@pytest.mark.parametrize(
    ("options", "text", "code"),
    [
        (["--fail-on-flips"], "fine", 10),
        (["--fail-on-flips"], "bad", 0),
        ([], "fine", 0),
        (["--fail-on-flips", "--exhaustive", "--threshold", "0.01"], "bad", 0),
    ],
)
def test_scripts_can_fail_on_flips(
    wraner: Wraner, strict: str, options: list[str], text: str, code: int
) -> None:
    assert wraner("policies", "diff", "rules", strict, text, *options).code == code


def test_the_same_set_flips_nothing(wraner: Wraner, tmp_path: Path) -> None:
    same = pack_folder(tmp_path / "same", RULES)
    ran = wraner("policies", "diff", same, "rules", "bad", "fine", "--format", "view")
    assert ran.code == 0 and ran.out.splitlines() == [
        "2 texts: 0 to violates, 0 to review, 0 to allowed, 2 unchanged",
        "",
        "the policy sets are the same",
    ]


def test_a_set_beside_its_like_is_asked_once(
    wraner: Wraner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []
    moderate = AsyncClient.moderate

    async def counting(self: AsyncClient, texts: Any, **how: Any) -> Any:
        asked.append(how["policy_set"])
        return await moderate(self, texts, **how)

    monkeypatch.setattr(AsyncClient, "moderate", counting)
    same = pack_folder(tmp_path / "same", RULES)
    assert wraner("policies", "diff", "rules", same, "bad").code == 0 and asked == ["rules"]
    more = RULES.examples[0].model_copy(update={"id": "a", "text": "Buy!"})
    turned = [
        RULES.model_copy(update={"examples": e})
        for e in ((more, *RULES.examples), (*RULES.examples, more))
    ]
    folders = [pack_folder(tmp_path / f"turned-{n}", one) for n, one in enumerate(turned)]
    assert wraner("policies", "diff", *folders, "bad").code == 0 and asked == ["rules", None]
    other = pack_folder(tmp_path / "other", changed(threshold=1.0))
    assert wraner("policies", "diff", "rules", other, "bad").code == 0
    assert asked == ["rules", None, "rules", None]


def test_a_folder_that_is_too_large_to_send_along_is_told_before_any_text(
    wraner: Wraner, tmp_path: Path
) -> None:
    many = tuple(JudgedExample(text=f"text {n}", violates=("no-spam",)) for n in range(1_001))
    big = pack_folder(tmp_path / "big", RULES.model_copy(update={"examples": many}))
    ran = wraner("policies", "diff", "rules", big, "bad")
    assert ran.code == 2 and f"wraner policies add NAME {big}" in ran.err and not ran.out


def test_the_view(wraner: Wraner, tmp_path: Path) -> None:
    other = RULES.policies[0].model_copy(update={"id": "no-ads", "title": "Ads\x1b"})
    new = RULES.model_copy(update={"policies": (other,), "examples": ()})
    folder = pack_folder(tmp_path / "new", new)
    ran = wraner("policies", "diff", "rules", folder, "bad\twords", "--threshold", "0.99")
    assert len(records(ran.out)) == 1  # still for a person to review, but for another policy
    assert records(ran.out)[0]["summary"]["for_other_policies"] == 1
    folder = pack_folder(tmp_path / "strict", changed(threshold=1.0))
    ran = wraner("policies", "diff", "rules", folder, "bad\twords", "--format", "view")
    head, reason, gap, counts, _, policy, field = ran.out.splitlines()
    assert head.split() == ["VIOLATES", ".95", "→", "REVIEW", ".95", "bad", "words"]
    assert reason == "      no-spam .95 → .95  Spam  tier 1" and gap == ""
    assert counts.startswith("1 text: 0 to violates, 1 to review")
    assert policy == "~ no-spam  Spam" and field.split() == ["threshold", "none", "→", "1.0"]


def test_what_stands_for_no_policy_set(wraner: Wraner, tmp_path: Path) -> None:
    ran = wraner("policies", "diff", "nope", "rules", "x")
    assert ran.code == 4 and "stored policy sets are rules" in ran.err
    ran = wraner("policies", "diff", "rules", str(tmp_path / "nope"), "x")
    assert ran.code == 2 and "pack.yaml" in ran.err
    ran = wraner("policies", "diff", "rules", pack_folder(tmp_path / "cities", CITIES), "x")
    assert ran.code == 2 and "expected a policy set, was: a domain" in ran.err


def test_a_folder_that_a_name_hides_is_told(
    wraner: Wraner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pack_folder(tmp_path / "mine", RULES)
    monkeypatch.chdir(tmp_path)
    ran = wraner("policies", "diff", "rules", "mine", "fine")
    assert ran.code == 4 and "for the folder say ./mine" in ran.err
    assert wraner("policies", "diff", "rules", "./mine", "fine").code == 0


def test_a_stream_that_ends_early_has_a_summary_of_what_is_done(
    wraner: Wraner, served: Served, strict: str
) -> None:
    ran = wraner("policies", "diff", "rules", strict, "--strict", stdin=b"fine\n \nfine\n")
    assert records(ran.out)[-1]["summary"]["texts"] == 1 and "--skip 2" in ran.err
    served.engine.error = RuntimeError("gone")
    ran = wraner("policies", "diff", "rules", strict, "fine")
    assert ran.code == 3 and ran.out == ""


def shown(old: PolicySet, new: PolicySet, *, colours: bool) -> str:
    out = io.StringIO()
    system = "256" if colours else None
    console = Console(file=out, force_terminal=True, width=60, color_system=system)  # type: ignore[arg-type]
    show_changes(console, compare(old, new))
    return out.getvalue()


def test_changed_words_and_items_are_marked() -> None:
    old = changed(definition="Sells goods here.", includes=("watches", "links"))
    new = changed(definition="Sells services here.", includes=("links", "pills"), tier=None)
    plain = shown(old, new, colours=False)
    assert "Sells [-goods-]{+services+} here." in plain
    assert "[-watches-]" in plain and "{+pills+}" in plain and "links" not in plain
    assert "1 → none" in plain
    coloured = shown(old, new, colours=True)
    assert "48;5;217mgoods" in coloured and "48;5;156mservices" in coloured and "[-" not in coloured


def test_definitions_and_examples_are_of_one_version(
    wraner: Wraner, served: Served, strict: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = Shelf.examples

    async def changed_behind(shelf: Shelf, name: str) -> tuple[str, tuple[Example, ...]]:
        _, found = await examples(shelf, name)
        return "another", found

    monkeypatch.setattr(Shelf, "examples", changed_behind)
    ran = wraner("policies", "diff", "rules", strict, "fine")
    assert ran.code == 1 and ran.out == "" and "changed while it was read" in ran.err


def test_another_order_of_policies_is_said() -> None:
    more = RULES.policies[0].model_copy(update={"id": "more"})
    old = RULES.model_copy(update={"policies": (*RULES.policies, more)})
    new = RULES.model_copy(update={"policies": (more, *RULES.policies)})
    assert shown(old, new, colours=False) == "the policies stand in another order\n"


def test_reordered_items_whole_policies_and_examples() -> None:
    old = changed(excludes=("a", "b"))
    more = RULES.policies[0].model_copy(update={"id": "more", "excludes": ("jokes",)})
    new = changed(excludes=("b", "a"))
    new = new.model_copy(update={"policies": (*new.policies, more), "examples": ()})
    there, back = shown(old, new, colours=False), shown(new, old, colours=False)
    assert "in another order" in there and "+ more  Spam" in there and "jokes" in there
    assert "1 removed" in there and "- more  Spam" in back and "1 added" in back
    assert max(map(len, there.splitlines())) <= 60
