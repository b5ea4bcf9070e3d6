"""Weaknesses: what each rule finds, and when it says nothing."""

from dataclasses import replace

import pytest

from tests.training.moderation_outcomes import Outcome, summarised
from training.moderation_rows import TRAIN
from training.moderation_summary import ModerationSummary
from training.moderation_weaknesses import LEAST_CALIBRATED, LEAST_ROWS, find_weaknesses
from wraner.packs import Policy, PolicySet

NAMES = ("ash", "birch", "cedar", "date", "elm", "fir")
TREES = PolicySet(policies=tuple(Policy(id=n, title=n, definition=n) for n in NAMES))
GOOD = tuple(
    Outcome(name, hateful, 0.9 if hateful else 0.1, 40)
    for name in NAMES
    for hateful in (True, False)
)


def trees(*outcomes: Outcome, calibrated: bool = True) -> ModerationSummary:
    return summarised(*outcomes, policy_set=TREES, calibrated=calibrated)


def found(summary: ModerationSummary) -> list[str]:
    return [one.words for one in find_weaknesses(summary) if one.words is not None]


def missed(policy: str, rows: int) -> Outcome:
    return Outcome(policy, True, 0.1, rows)


def alarmed(policy: str, rows: int, kind: int | None = None) -> Outcome:
    return Outcome(policy, False, 0.9, rows, kind)


def test_where_nothing_is_weak_every_rule_is_silent() -> None:
    assert found(trees(*GOOD)) == []
    rules = [one.rule for one in find_weaknesses(trees(*GOOD))]
    assert len(rules) == len(set(rules)) == 11


def test_the_three_worst_policies_are_named_worst_first() -> None:
    passed = (missed("elm", 80), missed("ash", 60), missed("fir", 40), missed("birch", 30))
    right = Outcome("cedar", True, 0.9, 300)
    assert found(trees(*GOOD, *passed, right)) == [
        "Hateful rows are let pass most under `elm` (.667 of 120), `ash` (.600 of 100) and "
        "`fir` (.500 of 80)."
    ]
    flagged = (alarmed("elm", 30), alarmed("date", 60))
    assert found(trees(*GOOD, *flagged)) == [
        "Rows that are not hateful are flagged most under `date` (.600 of 100) and `elm` (.429 "
        "of 70)."
    ]


def test_policies_that_tie_with_the_third_are_named_too() -> None:
    passed = [missed(name, 40) for name in NAMES[:4]]
    (words,) = found(trees(*GOOD, *passed, Outcome("fir", True, 0.9, 300)))
    assert words == (
        "Hateful rows are let pass most under `ash` (.500 of 80), `birch` (.500 of 80), "
        "`cedar` (.500 of 80) and `date` (.500 of 80)."
    )


def test_of_equal_shares_that_of_more_rows_comes_first() -> None:
    more = (Outcome("fir", True, 0.9, 20), missed("fir", 60), missed("ash", 40))
    (words,) = found(trees(*GOOD, *more))
    assert words.index("`fir`") < words.index("`ash`")


def test_where_all_are_about_equally_bad_none_is_named() -> None:
    assert found(trees(*GOOD, *(missed(name, 20) for name in NAMES))) == []
    assert found(trees(*GOOD, *(missed(name, 20) for name in NAMES), missed("ash", 5))) == []


@pytest.mark.parametrize(("rows", "named"), [(LEAST_ROWS - 1, False), (LEAST_ROWS, True)])
def test_policies_with_too_few_rows_are_not_judged_but_counted(rows: int, named: bool) -> None:
    others = [one for one in GOOD if not (one.policy == "ash" and one.hateful)]
    words = found(trees(*others, missed("ash", rows)))
    unknown = "Of 1 of 6 policies too little is known to judge them alone: `ash`."
    assert any("let pass most under `ash`" in one for one in words) == named
    assert (unknown in words) != named


def test_where_no_policy_has_enough_rows_that_is_said_once() -> None:
    words = found(trees(missed("ash", 2), alarmed("birch", 2)))
    assert "Of none of the 6 policies enough is known to judge it alone." in words
    assert not any("most under" in one for one in words)


def test_only_the_worst_kind_is_named() -> None:
    kinds = (Outcome("ash", False, 0.1, 50, kind=3), alarmed("ash", 10, 3), alarmed("ash", 12, 4))
    assert "Of what is not hateful, most is flagged of: advocacy (1.00 of 12)." in found(
        trees(*GOOD, *kinds)
    )
    few = (Outcome("ash", False, 0.1, 50, kind=3), alarmed("ash", 9, 4))
    assert not any("most is flagged of" in one for one in found(trees(*GOOD, *few)))


def test_policies_are_chance_where_both_shares_add_up_to_one() -> None:
    others = [one for one in GOOD if one.policy != "cedar"]
    right = (Outcome("cedar", True, 0.9, 10), Outcome("cedar", False, 0.1, 10))
    chance = "It does no better than chance under `cedar` (.500 let pass, .500 flagged)."
    assert chance in found(trees(*others, *right, missed("cedar", 10), alarmed("cedar", 10)))
    words = found(trees(*others, *right, missed("cedar", 10), alarmed("cedar", 9)))
    assert not any("chance" in one for one in words)


def test_scores_that_tell_nothing_are_said_to() -> None:
    same = [Outcome("ash", hateful, 0.5, 30) for hateful in (True, False)]
    assert (
        "Its scores are not shown to tell hateful rows from others: AUROC .500 (.500 to .500)."
        in found(trees(*same))
    )


def test_calibration_is_judged_where_there_is_any() -> None:
    uncalibrated = found(trees(*GOOD, calibrated=False))
    assert uncalibrated == [
        "Its scores are not calibrated: they put texts in an order and are no probabilities."
    ]
    half = LEAST_CALIBRATED // 2

    def both(hateful: int, other: int) -> list[Outcome]:
        return [Outcome("ash", True, 0.9, hateful), Outcome("ash", False, 0.1, other)]

    off = "Its scores, read as probabilities, are off by .100 on average."
    assert off in found(trees(*both(half, half)))
    assert off not in found(trees(*both(half, half - 1)))
    close = [Outcome("ash", True, 0.96, half), Outcome("ash", False, 0.04, half)]
    assert not any("off by" in one for one in found(trees(*close)))


def test_clean_texts_are_compared_with_all_rows() -> None:
    leaked = [Outcome(name, True, 0.9, 60, clean=False) for name in NAMES]
    (words,) = found(trees(*GOOD, *leaked, *(missed(name, 20) for name in NAMES)))
    assert words == (
        "It fails more on clean texts than on all rows: hateful let pass .333 instead of .167 and "
        "overall .200 instead of .125."
    )


def test_a_small_difference_to_clean_texts_is_none() -> None:
    leaked = Outcome("ash", True, 0.9, 5, clean=False)
    assert found(trees(*GOOD, leaked, *(missed(name, 20) for name in NAMES))) == []


def test_figures_of_the_training_file_are_said_to_flatter() -> None:
    shown = trees(*GOOD)
    of_train = replace(shown, asked=replace(shown.asked, file=TRAIN))
    assert found(of_train) == [f"The figures flatter it: {TRAIN} is what is trained on."]
    of_others = replace(shown, asked=replace(shown.asked, file="rebalance.csv", clean=0))
    assert found(of_others) == [
        f"The figures flatter it: 0 of {shown.asked.texts} texts are not those of {TRAIN}, which "
        "is trained on, and are labelled one way."
    ]


def test_wrong_names_are_a_weakness_in_more_than_half_of_the_texts() -> None:
    right = Outcome("ash", True, 0.9, 5)
    wrong = Outcome("ash", True, 0.9, 6, named="birch")
    words = "A right policy comes first in only .455 of the hateful texts."
    assert words in found(trees(right, wrong))
    half = Outcome("ash", True, 0.9, 6)
    assert not any("comes first" in one for one in found(trees(half, wrong)))
    few = Outcome("ash", True, 0.9, LEAST_ROWS - 1, named="birch")
    assert not any("comes first" in one for one in found(trees(few)))
