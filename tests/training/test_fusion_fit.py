"""The regression under a fusion: both sides weigh alike, and the direction is found."""

from dataclasses import replace

import numpy as np
import pytest

from tests.training.judged_towns import POLICIES, taught
from training.fusion_fit import Hears, fitted, fitted_to_new_sets, logistic, score_of, with_number
from training.judge_answers import Asked
from training.judged_texts import TaughtText
from wraner.fusion import SHORTLIST
from wraner.packs import JudgedExample
from wraner.retrieval import Evidence, PolicyEvidence

TIERS = {p.id: p.tier for p in POLICIES}


def test_both_sides_weigh_alike_whatever_their_size() -> None:
    rows = np.zeros((10, 1))
    breach = np.array([True] * 9 + [False])
    _, bias = logistic(rows, breach, np.ones(10))
    assert bias == pytest.approx(0.0, abs=1e-4)


def test_a_regression_finds_the_direction() -> None:
    rows = np.array([[-1.0, 3.0], [-0.5, -2.0], [0.5, 2.0], [1.0, -3.0]])
    first, second, _ = logistic(rows, np.array([False, False, True, True]), np.ones(4))
    assert first > 1 > abs(second)


def noisy(*, breaches: bool, policies: int, rng: np.random.Generator) -> Asked:
    """A judge that shouts at random, and somewhat louder at the first policy of a breach."""
    found = tuple(
        PolicyEvidence(POLICIES[n % 2].id, (), (), 0.3, (), leaning=0.0) for n in range(policies)
    )
    logits = rng.normal(scale=2.0, size=policies)
    logits[0] += 3.0 * breaches
    text = taught("Zorvians.", ("filth",), breaches)
    return Asked(text, Evidence(found, "g"), tuple(zip(found, logits, strict=True)), 0.0)


def test_the_highest_of_more_policies_says_less() -> None:
    rng = np.random.default_rng(0)
    asked = [
        noisy(breaches=bool(n % 2), policies=40 if n % 5 == 0 else SHORTLIST, rng=rng)
        for n in range(600)
    ]
    fusion = fitted(asked, TIERS, hears="leaning")
    assert fusion.verdict is not None and fusion.verdict.number < -0.1
    deaf = with_number(fusion, 0.0)
    few, many = asked[1], asked[0]
    assert score_of(few, fusion) == score_of(few, deaf)
    assert score_of(many, fusion) < score_of(many, deaf)
    assert score_of(many.among(3), fusion) > score_of(many.among(3), deaf)
    harmless = [a for a in asked if len(a.judged) > SHORTLIST and not a.text.breaches]
    heard, unheard = (np.mean([score_of(a, f) for a in harmless]) for f in (fusion, deaf))
    assert heard < unheard - 0.05


def test_a_sure_judge_is_fitted_as_it_is_served() -> None:
    rng = np.random.default_rng(0)
    asked = [noisy(breaches=bool(n % 2), policies=2, rng=rng) for n in range(60)]
    sure = [
        replace(a, judged=tuple((e, 900.0 if a.text.breaches else -900.0) for e, _ in a.judged))
        for a in asked
    ]
    fusion = fitted(sure, TIERS, hears="leaning")
    assert fusion.verdict is not None and fusion.verdict.strongest > 0
    assert all((score_of(a, fusion) > 0.5) == a.text.breaches for a in sure)


def test_without_texts_of_more_policies_their_number_is_not_heard() -> None:
    rng = np.random.default_rng(0)
    asked = [noisy(breaches=bool(n % 2), policies=SHORTLIST, rng=rng) for n in range(40)]
    fusion = fitted(asked, TIERS, hears="leaning")
    assert fusion.verdict is not None and fusion.verdict.number == 0.0


def telling(
    text: TaughtText,
    *,
    leaning: float = 0.0,
    words: float = 0.0,
    wording: float = 0.0,
    definition: float = 0.5,
    logit: float = 0.0,
) -> Asked:
    """One policy judged, `filth`, with the same evidence as the whole text."""
    found = PolicyEvidence(
        "filth", (), (), definition, (), leaning, words, wording=wording, case=wording / 2
    )
    whole = Evidence((found,), "g", leaning=leaning)
    return Asked(text, whole, ((found, logit),), float(text.breaches))


@pytest.mark.parametrize("hears", ["leaning", "definition", "words", "wordings"])
def test_what_shall_be_heard_is_heard(hears: Hears) -> None:
    asked = [
        telling(
            taught("Zorvians.", ("filth",), bool(n % 2)),
            leaning=float(n % 2) + n / 40,
            words=float(n % 2) - n / 40,
            wording=float(n % 2) - n / 30,
            definition=0.3 * (n % 2) + n / 40,
        )
        for n in range(20)
    ]
    fusion = fitted(asked, TIERS, hears=hears)
    verdict = fusion.verdict
    assert verdict is not None
    by_words = hears in ("words", "wordings")
    assert fusion.leaning > 0 and (fusion.word_leaning > 0) is by_words
    assert (fusion.wording > 0) is (fusion.case > 0) is (hears == "wordings")
    assert (verdict.leaning > 0) is (hears == "leaning")
    assert (verdict.definition != 0) is (hears == "definition")
    assert (verdict.overall != 0) is not by_words


def test_a_text_that_is_known_to_keep_a_policy_counts_beside_its_tier() -> None:
    keeping = TaughtText(
        JudgedExample(text="Go.", violates=("expel",), complies=("filth",)), ("expel",), 1.0
    )
    unknown = TaughtText(JudgedExample(text="Go.", violates=("expel",)), ("expel",), 1.0)
    breaching = [telling(taught("Z", ("filth",), True), logit=1.0)]
    same_tier = dict.fromkeys(TIERS, 1)

    def judge(text: TaughtText) -> float:
        clean = telling(taught("ok", ("filth",), False), logit=0.9)
        silent = telling(text, logit=-5.0)
        return fitted([*breaching, clean, silent, silent, silent], same_tier, hears="leaning").bias

    assert judge(keeping) != pytest.approx(judge(unknown), abs=1e-3)


def test_where_wordings_are_heard_half_of_what_examples_say_is_kept() -> None:
    def asked(*, examples: bool) -> list[Asked]:
        return [
            telling(
                taught("Zorvians.", ("filth",), bool(n % 2)),
                leaning=examples * (n % 2 + n / 40),
                wording=0.2 * (n % 2) + n / 30,
                logit=n % 3,
            )
            for n in range(20)
        ]

    shown, bare = asked(examples=True), asked(examples=False)
    whole = fitted(shown, TIERS, hears="wordings")
    kinds: tuple[tuple[Hears, float], ...] = (("words", 1.0), ("wordings", 0.5))
    for hears, share in kinds:
        alone = fitted(shown, TIERS, hears=hears)
        fusion = fitted_to_new_sets(shown, bare, TIERS, hears=hears)
        assert fusion.leaning == pytest.approx(share * alone.leaning) and fusion.leaning > 0
        assert fusion.bare == fitted(bare, TIERS, hears=hears)
    assert fusion.bare is not None
    assert fusion.wording == pytest.approx((whole.wording + fusion.bare.wording) / 2)
    assert fusion.verdict is not None and whole.verdict is not None
    assert fusion.verdict.strongest > whole.verdict.strongest  # which hears lower odds
