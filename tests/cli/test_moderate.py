"""`wraner moderate`: verdicts, how they are shown, and what a script can tell from them."""

import json

import pytest

from tests.cli.conftest import Served, Wraner

pytestmark = pytest.mark.usefixtures("rules")


def test_a_verdict_a_text(wraner: Wraner) -> None:
    ran = wraner("moderate", "rules", stdin=b"bad\nfine\n")
    bad, fine = [json.loads(line) for line in ran.out.splitlines()]
    assert (ran.code, ran.err) == (0, "")
    assert list(bad)[:4] == ["text", "decision", "flagged", "score"]
    assert (bad["decision"], fine["decision"]) == ("violates", "allowed")
    assert bad["matches"][0]["policy"] == "no-spam"


def test_the_view_names_the_policy_and_the_words(wraner: Wraner) -> None:
    ran = wraner("moderate", "rules", "bad\twords", "fine", "--format", "view")
    first, reason, _, second = ran.out.splitlines()
    assert first.split() == ["VIOLATES", first.split()[1], "bad", "words"]
    assert reason.startswith("    no-spam") and "Spam" in reason and "tier 1" in reason
    assert reason.split()[-1] == "b"
    assert second.split()[0] == "ALLOWED"


@pytest.mark.parametrize(
    ("fail_on", "text", "code"),
    [("violates", "bad", 10), ("review", "bad", 10), ("never", "bad", 0), ("violates", "fine", 0)],
)
def test_scripts_can_fail_on_a_decision(wraner: Wraner, fail_on: str, text: str, code: int) -> None:
    assert wraner("moderate", "rules", text, "--fail-on", fail_on).code == code


def test_options_reach_the_server(wraner: Wraner) -> None:
    assert wraner("moderate", "rules", "bad", "--policies", "no-spam").code == 0
    assert "not declared" in wraner("moderate", "rules", "bad", "--policies", "other").err
    assert "expected --policies A,B" in wraner("moderate", "rules", "bad", "--policies", "").err
    ran = wraner("moderate", "rules", "bad", "--exhaustive", "--threshold", "1")
    assert json.loads(ran.out)["decision"] != "violates"


def test_short_texts_do_not_wait_for_long_ones(wraner: Wraner, served: Served) -> None:
    lines = ["text a", "text b", "text " + "word " * 600, "text c", "text " + "word " * 700]
    ran = wraner("moderate", "rules", "--calls", "1", *lines)
    assert ran.code == 0 and len(ran.out.splitlines()) == 5
    # The field's name is counted with each call's texts. What is read already goes together: "a"
    # and "b" may, a long text goes alone.
    assert served.asked in ([3, 2, 2, 2], [2, 2, 2, 2, 2])
