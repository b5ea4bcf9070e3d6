"""Two verdicts on one text, compared."""

from typing import Any

import pytest

from wraner.client.replies import Verdict
from wraner.flips import Comparison, FlipCount


def verdict(decision: str, *matches: str, judged: tuple[str, ...] = ("a", "b")) -> Verdict:
    """A verdict that rests on `matches`, which score less one by one."""
    found: list[dict[str, Any]] = [
        {
            "policy": m, "title": m.upper(), "tier": 1, "score": 0.9 - n / 10,
            "neighbours": [], "evidence": [],
        }
        for n, m in enumerate(matches)
    ]  # fmt: skip
    coverage = {
        "characters": 4, "windows": 1, "truncated": False,
        "policies_judged": judged, "policies_skipped": 0,
    }  # fmt: skip
    return Verdict.model_validate(
        {
            "decision": decision,
            "flagged": decision == "violates",
            "score": 0.9 if matches else 0.1,
            "calibrated": False,
            "matches": found,
            "coverage": coverage,
        }
    )


def compared(old: Verdict, new: Verdict) -> Comparison:
    return Comparison(old=old, new=new)


@pytest.mark.parametrize(
    ("old", "new", "came", "went", "flipped"),
    [
        (verdict("allowed"), verdict("violates", "a"), ("a",), (), True),
        (verdict("violates", "a"), verdict("allowed"), (), ("a",), True),
        (verdict("violates", "a"), verdict("review", "a"), (), (), True),
        (verdict("violates", "a", "b"), verdict("violates", "b"), (), ("a",), False),
        (verdict("review", "a"), verdict("review", "b"), ("b",), ("a",), False),
        (verdict("allowed"), verdict("allowed"), (), (), False),
    ],
)
def test_a_flip_is_another_decision(
    old: Verdict, new: Verdict, came: tuple[str, ...], went: tuple[str, ...], flipped: bool
) -> None:
    one = compared(old, new)
    assert (one.came, one.went, one.flipped) == (came, went, flipped)


def test_policies_stand_with_both_matches_the_new_verdicts_first() -> None:
    one = compared(verdict("violates", "a", "b"), verdict("violates", "b", "c"))
    shifts = [(s.match.policy, s.old and s.old.score, s.new and s.new.score) for s in one.shifts()]
    assert shifts == [("b", 0.8, 0.9), ("c", None, 0.8), ("a", 0.9, None)]


def test_a_policy_that_only_one_set_judged_is_told() -> None:
    old = verdict("violates", "a", "b", judged=("a", "b"))
    new = verdict("violates", "b", "c", judged=("b", "c"))
    judged = {s.match.policy: s.judged for s in compared(old, new).shifts()}
    assert judged == {"a": "old", "b": "both", "c": "new"}


def test_a_record_says_what_came_and_went() -> None:
    record = compared(verdict("allowed"), verdict("violates", "a")).model_dump(mode="json")
    assert list(record) == ["old", "new", "came", "went"]
    assert record["came"] == ["a"] and record["old"]["decision"] == "allowed"


def test_counts() -> None:
    count = FlipCount()
    count.add(compared(verdict("allowed"), verdict("violates", "a")))
    count.add(compared(verdict("violates", "a"), verdict("allowed")))
    count.add(compared(verdict("violates", "a"), verdict("violates", "b")))
    count.add(compared(verdict("allowed"), verdict("allowed")))
    assert (count.texts, count.flipped, count.unchanged, count.moved) == (4, 2, 2, 1)
    assert count.to == {"violates": 1, "review": 0, "allowed": 1}
