"""The gate: it opens to a sure gain without a loss elsewhere, and to nothing else."""

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.bootstrap import Resampling
from training.gate import LEAST_ELSEWHERE, LEAST_HERE, Trial, decide
from wraner.metrics import SpanCounts

QUICK = Resampling(draws=200)
RIGHT, WRONG = SpanCounts(1, 1, 1), SpanCounts(0, 1, 1)


@st.composite
def counted(draw: st.DrawFn) -> SpanCounts:
    found, gold = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    return SpanCounts(draw(st.integers(0, min(found, gold))), found, gold)


def trial(candidate: Sequence[SpanCounts], serving: Sequence[SpanCounts]) -> Trial:
    return Trial("towns", tuple(candidate), tuple(serving))


def of(right: int, wrong: int) -> list[SpanCounts]:
    return [RIGHT] * right + [WRONG] * wrong


GAIN = trial(of(80, 20), of(50, 50))
SAME = trial(of(400, 100), of(400, 100))


@settings(max_examples=30, deadline=None)
@given(st.lists(counted(), min_size=1, max_size=150), st.lists(counted(), max_size=150))
def test_equal_systems_are_never_promoted(
    here: list[SpanCounts], elsewhere: list[SpanCounts]
) -> None:
    others = [trial(elsewhere, elsewhere)] if elsewhere else []
    decision = decide(trial(here, here), others, QUICK)
    assert not decision.promote and not decision.here.met
    assert decision.words.startswith("insufficient evidence: ")


@settings(max_examples=30, deadline=None)
@given(st.integers(60, 200), st.integers(120, 400))
def test_a_clear_gain_without_a_loss_is_promoted(here: int, elsewhere: int) -> None:
    gain = trial(of(here, 0), of(here // 2, here - here // 2))
    decision = decide(gain, [trial(of(elsewhere, 9), of(elsewhere, 9))], QUICK)
    assert decision.promote and decision.words.startswith("promote: ")


@settings(max_examples=30, deadline=None)
@given(st.integers(500, 1000))
def test_a_gain_with_a_loss_of_2_f1_elsewhere_is_not(sentences: int) -> None:
    lost = sentences // 50
    loss = trial(of(sentences - lost, lost), of(sentences, 0))
    decision = decide(GAIN, [loss], QUICK)
    assert decision.here.met and not decision.elsewhere.met and not decision.promote


@settings(max_examples=30, deadline=None)
@given(st.lists(counted(), min_size=1, max_size=LEAST_HERE - 1))
def test_few_sentences_never_suffice(sentences: list[SpanCounts]) -> None:
    none_found = [SpanCounts(0, 0, c.gold) for c in sentences]
    all_found = [SpanCounts(c.gold, c.gold, c.gold) for c in sentences]
    decision = decide(trial(all_found, none_found), [SAME], QUICK)
    assert not decision.promote and "too few" in decision.here.words


def test_few_sentences_elsewhere_do_not_suffice_either() -> None:
    few = trial(of(LEAST_ELSEWHERE - 1, 0), of(LEAST_ELSEWHERE - 1, 0))
    decision = decide(GAIN, [few])
    assert decision.here.met and not decision.promote
    assert "99 sentences, too few: at least 100 are needed" in decision.words
    assert decide(GAIN, [few, few]).promote


def test_a_gain_that_could_be_chance_is_not_promoted() -> None:
    decision = decide(trial(of(26, 24), of(25, 25)), [SAME])
    assert decision.here.change is not None and decision.here.change.value > 0
    assert not decision.promote


@pytest.mark.parametrize(
    ("better", "worse", "chance"), [(4, 0, "6.2"), (5, 0, "3.1"), (9, 2, "3.3")]
)
def test_a_gain_that_chance_brings_often_is_not_promoted(
    better: int, worse: int, chance: str
) -> None:
    candidate = of(better, worse) + of(20, 20)
    decision = decide(trial(candidate, of(0, better) + of(worse, 0) + of(20, 20)), [SAME])
    change = decision.here.change
    assert change is not None and change.low > 0, "the bootstrap is sure of it"
    often = f"on the {better + worse} of these that the two answer differently, chance alone brings"
    assert not decision.promote
    assert f"a gain, but {often} as much in {chance} % of exchanges;" in decision.words


def test_a_gain_on_six_sentences_that_are_all_better_is_promoted() -> None:
    assert decide(trial(of(26, 14), of(20, 20)), [SAME]).promote


def test_without_anything_elsewhere_a_loss_is_not_excluded() -> None:
    decision = decide(GAIN, [])
    assert decision.here.met and not decision.promote and decision.elsewhere.change is None
    assert decision.words.endswith(
        "elsewhere nothing was measured, which does not exclude a loss of 1"
    )


def test_the_words_name_both_intervals_and_what_failed() -> None:
    loss = trial(of(475, 25), of(500, 0))
    words = decide(trial(of(60, 40), of(60, 40)), [loss]).words
    here, elsewhere = words.split("; ")
    assert here == (
        "insufficient evidence: towns +0.0 (+0.0 to +0.0) F1 on 100 sentences, which does not "
        "exclude that there is no gain"
    )
    assert elsewhere.startswith("elsewhere -5.0 (-")
    assert elsewhere.endswith(" F1 on 500 sentences, which does not exclude a loss of 1")
    words = decide(GAIN, [SAME]).words
    assert "a gain; elsewhere +0.0 (+0.0 to +0.0) F1 on 500" in words
    assert words.endswith("a loss of 1 is excluded")


def test_other_sentences_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="same sentences"):
        decide(trial([RIGHT], [SpanCounts(0, 0, 0)]), [SAME])


def test_what_others_gain_does_not_pay_for_what_one_domain_loses() -> None:
    gains = Trial("replayed", tuple(of(480, 20)), tuple(of(250, 250)))
    lost = Trial("sheds", tuple(of(30, 10)), tuple(of(38, 2)))
    decision = decide(GAIN, [gains, lost], QUICK)
    change = decision.elsewhere.change
    assert change is not None and change.low > 0 and not decision.promote
    assert ", lost is: sheds -20.0 (" in decision.words and "replayed" not in decision.words
    assert decide(GAIN, [gains, Trial("sheds", *[tuple(of(38, 2))] * 2)], QUICK).promote
