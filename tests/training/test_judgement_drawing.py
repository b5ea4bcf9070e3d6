"""Drawing judgements: a function of seed and step; answers are right; wording varies."""

from dataclasses import replace
from typing import Any

import pytest
from transformers import AutoTokenizer

from tests.training.judged_towns import POLICIES, TOWNS
from training import judgement_drawing
from training.judgement_drawing import JudgementDrawing
from training.packed import Lesson
from training.policy_wordings import PolicyWordings
from training.settings import JudgementSettings
from wraner.chat import ChatEncoder
from wraner.weights import BaseModel

BREACHING = {t.example.text for t in TOWNS.train if t.breaches}


@pytest.fixture(scope="module")
def chat(tiny_base: BaseModel) -> ChatEncoder:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_base.path)
    return ChatEncoder(tokenizer)


def drawing(chat: ChatEncoder, **changed: Any) -> JudgementDrawing:
    return JudgementDrawing(TOWNS, chat, seed=1, settings=JudgementSettings(**changed))


def read(chat: ChatEncoder, lesson: Lesson) -> tuple[str, str, str]:
    decode: Any = chat._tokenizer.decode
    prompt = lesson.prompt
    return decode(prompt.prefix), decode(prompt.query), decode(lesson.answer[:-1])


def test_a_step_is_the_same_again(chat: ChatEncoder) -> None:
    first, again = (drawing(chat).step(3, tokens=600) for _ in range(2))
    assert first == again
    assert first != drawing(chat).step(4, tokens=600)
    assert sum(g.tokens for g in first) >= 600


def test_a_whole_set_is_asked_about_both_sides(chat: ChatEncoder) -> None:
    group = drawing(chat, overall=1.0, overall_texts=6).step(1, tokens=1)[0]
    seen = [read(chat, lesson) for lesson in group.members]
    assert len(seen) == 6 and len({prefix for prefix, _, _ in seen}) == 1
    assert all(policy.title in seen[0][0] for policy in POLICIES)
    assert "Rules of a town." in seen[0][0]
    for _, query, answer in seen:
        assert (answer == "yes") == any(text in query for text in BREACHING)
    assert sorted(answer for _, _, answer in seen) == ["no"] * 3 + ["yes"] * 3


def test_one_policy_is_asked_about_breaches_contrasts_and_others(chat: ChatEncoder) -> None:
    own = {p.title: {t.example.text for t in TOWNS.train if p.id in t.near} for p in POLICIES}
    answers = set()
    for number in range(8):
        for group in drawing(chat, overall=0.0, policy_texts=8).step(number, tokens=1):
            for lesson in group.members:
                prefix, query, answer = read(chat, lesson)
                (title,) = (t for t in own if f"{t}: " in prefix)
                breach = any(text in query for text in own[title] & BREACHING)
                assert (answer == "yes") == breach
                near = any(text in query for text in own[title])
                answers.add((answer, near))
    assert answers == {("yes", True), ("no", True), ("no", False)}


def test_without_contrasts_a_policy_meets_other_texts_alone(chat: ChatEncoder) -> None:
    asked = drawing(chat, overall=0.0, contrasts=False, policy_texts=8)
    clean = {t.example.text for t in TOWNS.train if not t.breaches}
    shares = [
        sum(any(text in read(chat, m)[1] for text in clean) for m in group.members)
        for number in range(4)
        for group in asked.step(number, tokens=1)
    ]
    assert set(shares) == {1}  # the one that is drawn from anywhere


def test_order_and_cases_vary_unless_they_may_not(chat: ChatEncoder) -> None:
    def prefixes(**changed: Any) -> set[str]:
        asked = drawing(chat, overall=0.0, **changed)
        found = {read(chat, g.members[0])[0] for n in range(12) for g in asked.step(n, tokens=1)}
        return {prefix for prefix in found if "Filth" in prefix}

    assert len(prefixes()) > 1
    assert len(prefixes(shuffle=False)) == 1


def test_texts_of_a_policy_that_is_left_out_are_asked_about_no_other(chat: ChatEncoder) -> None:
    settings = JudgementSettings(overall=0.0, policy_texts=8)
    fewer = JudgementDrawing(replace(TOWNS, policies=POLICIES[:1]), chat, seed=1, settings=settings)
    gone = {t.example.text for t in TOWNS.train if t.breaches and "expel" in t.near}
    for number in range(4):
        for group in fewer.step(number, tokens=1):
            assert not any(text in read(chat, m)[1] for m in group.members for text in gone)


def test_the_sets_own_examples_are_asked_about_in_their_share(chat: ChatEncoder) -> None:
    own = {t.example.text: t.breaches for t in TOWNS.own}

    def answers(**changed: Any) -> list[str]:
        groups = drawing(chat, own=0.5, **changed).step(2, tokens=1)
        seen = [read(chat, m) for group in groups for m in group.members]
        found = [(text, answer) for _, query, answer in seen for text in own if text in query]
        assert all((answer == "yes") == own[text] for text, answer in found)
        return sorted(answer for _, answer in found)

    assert answers(overall=1.0, overall_texts=8) == ["no"] * 2 + ["yes"] * 2
    assert answers(overall=0.0, policy_texts=8)[-2:] == ["yes"] * 2
    assert not any(
        text in read(chat, m)[1]
        for group in drawing(chat).step(2, tokens=900)
        for m in group.members
        for text in own
    )


def test_titles_alone_without_definitions(chat: ChatEncoder) -> None:
    for group in drawing(chat, overall=0.0, definitions=False).step(1, tokens=1):
        prefix, _, _ = read(chat, group.members[0])
        assert not any(p.definition in prefix for p in POLICIES)
        assert any(p.title in prefix for p in POLICIES)


def test_policies_may_be_reworded_or_called_by_a_number(
    chat: ChatEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = PolicyWordings({p.id: (f"Other {p.id}", f"Else {p.id}.") for p in POLICIES})
    monkeypatch.setattr(judgement_drawing, "shipped_wordings", lambda: others)

    def prefixes(overall: float, **changed: float) -> list[str]:
        asked = drawing(chat, overall=overall, policy_texts=8, **changed)
        groups = [g for number in range(6) for g in asked.step(number, tokens=1)]
        return [read(chat, group.members[0])[0] for group in groups]

    assert all("Else " in p and "Other " in p for p in prefixes(0.0, reworded=1.0))
    assert all(
        "Rule " in p and "Other " not in p for p in prefixes(0.0, reworded=1.0, numbered=1.0)
    )
    assert all("Other filth" in p and "Other expel" in p for p in prefixes(1.0, reworded=1.0))
    assert not any("Rule " in p for p in prefixes(1.0, numbered=1.0))
