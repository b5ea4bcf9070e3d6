"""Figures: verdicts beside labels that say all, some or nothing of a policy."""

from typing import Any

import pytest

from cli.judged import Judged, figures_of
from training import bootstrap
from training.bootstrap import Resampling
from wraner.client.replies import JudgedCoverage, PolicyMatch, Verdict
from wraner.packs import JudgedExample
from wraner.policies import Decision

POLICIES = ("ads", "spam")


def verdict(decision: Decision, *matched: str, score: float = 0.5) -> Verdict:
    matches = [
        PolicyMatch(policy=p, title=p, tier=None, score=score, neighbours=(), evidence=())
        for p in matched
    ]
    return Verdict(
        decision=decision,
        flagged=decision == "violates",
        score=score,
        calibrated=True,
        matches=tuple(matches),
        coverage=JudgedCoverage(
            characters=1, windows=1, truncated=False, policies_judged=POLICIES, policies_skipped=0
        ),
    )


def one(label: dict[str, Any], said: Verdict, line: int = 1) -> Judged:
    example = JudgedExample.model_validate({"text": f"text {line}", **label})
    return Judged(line, example, POLICIES, said)


BREACH: dict[str, Any] = {"violates": ["ads"]}
HARMLESS: dict[str, Any] = {"complies": "all"}
PARTLY: dict[str, Any] = {"complies": ["spam"]}


@pytest.mark.parametrize(
    ("label", "said", "fault"),
    [
        (BREACH, verdict("violates", "ads"), None),
        (BREACH, verdict("violates", "spam"), "other policy"),
        (BREACH, verdict("review", "ads"), "let pass"),
        (BREACH, verdict("allowed"), "let pass"),
        (HARMLESS, verdict("violates", "ads"), "flagged"),
        (HARMLESS, verdict("review", "ads"), None),
        ({"complies": ["ads", "spam"]}, verdict("violates", "ads"), "flagged"),
        (PARTLY, verdict("violates", "ads"), None),
        (PARTLY, verdict("violates", "ads", "spam"), "flagged"),
        (PARTLY, verdict("review", "spam"), None),
    ],
)
def test_what_is_wrong_with_a_verdict(
    label: dict[str, Any], said: Verdict, fault: str | None
) -> None:
    assert one(label, said).fault == fault


def test_a_text_that_is_partly_labelled_is_on_neither_side() -> None:
    told = [
        one(BREACH, verdict("violates", "ads", score=0.6)),
        one(HARMLESS, verdict("allowed", score=0.1)),
        one(PARTLY, verdict("violates", "ads", score=0.9)),
    ]
    figures = figures_of(told)
    assert figures.partly == {"violates": 1, "review": 0, "allowed": 0}
    assert sum(figures.harmless.values()) == 1 and sum(figures.breaching.values()) == 1
    assert figures.flagged is not None and figures.flagged.value == 0
    assert figures.auroc is not None and figures.auroc.value == 1
    alone = figures_of(told[2:])
    assert alone.flagged is None and alone.auroc is None


def test_a_policy_for_review_is_not_found() -> None:
    figures = figures_of(
        [
            one(BREACH, verdict("review", "ads")),
            one({"complies": ["ads"]}, verdict("review", "ads"), line=2),
        ]
    )
    assert figures.right_first == 0
    assert [(p.found, p.matched) for p in figures.policies] == [(0, 0)]


def test_policies_that_wrongly_match_are_counted_though_no_label_names_them() -> None:
    figures = figures_of(
        [
            one(HARMLESS, verdict("violates", "spam")),
            one(BREACH, verdict("violates", "ads", "spam"), line=2),
        ]
    )
    counts = {p.policy: (p.breaching, p.keeping, p.matched) for p in figures.policies}
    assert counts == {"spam": (0, 1, 1), "ads": (1, 1, 0)}
    unknown = figures_of([one(BREACH, verdict("violates", "ads", "spam"))])
    assert [p.policy for p in unknown.policies] == ["ads"]


def test_many_texts_are_drawn_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def noted(*_: Any, resampling: Resampling, **__: Any) -> None:
        drawn.append(resampling.draws)

    monkeypatch.setattr("cli.judged.auroc_interval", noted)
    monkeypatch.setattr(bootstrap, "_DRAWN_ROWS", 10_000)
    for count in (10, 20, 1_000):
        figures_of([one(BREACH, verdict("allowed"), line) for line in range(count)])
    assert drawn == [1_000, 500, 100]
