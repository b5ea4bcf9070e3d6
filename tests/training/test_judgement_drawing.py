"""Drawing judgements: a function of seed and step; answers are right; wording varies."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from transformers import AutoTokenizer

from tests.training.judged_towns import POLICIES, TOWNS
from training import judgement_drawing
from training.communities import Communities, Strangers, shipped_communities
from training.groups import Group, Groups
from training.judged_neighbours import JudgedNeighbours, Vectors
from training.judged_texts import TaughtText
from training.judgement_drawing import JudgementDrawing
from training.packed import Lesson
from training.policy_wordings import PolicyWordings
from training.settings import JudgementSettings
from wraner.chat import ChatEncoder
from wraner.packs import JudgedExample, Policy, PolicySet
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
    assert answers(overall=0.0, policy_texts=8) == ["no"] * 2 + ["yes"] * 2
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


def test_own_examples_that_keep_a_near_policy_are_asked_about_it_too(chat: ChatEncoder) -> None:
    keeping = TaughtText(
        JudgedExample(text="Wash the Zorvians away.", violates=("expel",), complies=("filth",)),
        ("expel",),
        1.0,
    )
    towns = replace(TOWNS, own=(*TOWNS.own, keeping))

    def answers(**changed: Any) -> set[tuple[bool, str]]:
        settings = JudgementSettings(overall=0.0, policy_texts=8, own=0.5, **changed)
        asked = JudgementDrawing(towns, chat, seed=1, settings=settings)
        seen = [read(chat, m) for n in range(8) for g in asked.step(n, tokens=1) for m in g.members]
        return {
            ("Filth" in prefix, answer)
            for prefix, query, answer in seen
            if keeping.example.text in query
        }

    assert answers(kept=1) == {(True, "no"), (False, "yes")}
    assert answers(kept=9) == {(True, "no"), (False, "yes")}  # no more than are its own
    assert answers() == {(False, "yes")}


@pytest.mark.parametrize("own", [0.0, 0.3, 0.5, 1.0])
@pytest.mark.parametrize("kept", [0, 1, 9])
@pytest.mark.parametrize("contrasts", [True, False])
def test_a_policys_texts_are_half_of_each_answer_in_each_source(
    chat: ChatEncoder, own: float, kept: int, contrasts: bool
) -> None:
    written = [t.example.text for t in TOWNS.own]
    asked = drawing(chat, overall=0.0, policy_texts=8, own=own, kept=kept, contrasts=contrasts)
    for group in (g for number in range(6) for g in asked.step(number, tokens=1)):
        seen = [read(chat, m) for m in group.members]
        assert [answer for _, _, answer in seen].count("yes") == len(seen) / 2 == 4
        for wanted in ("yes", "no"):
            texts = [query for _, query, answer in seen if answer == wanted]
            assert sum(any(t in query for t in written) for query in texts) == round(4 * own)


def test_questions_about_one_policy_show_the_nearest_examples(chat: ChatEncoder) -> None:
    def encode(texts: Sequence[str]) -> Vectors:
        return np.ones((len(texts), 1), np.float32)

    near = JudgedNeighbours([t.example for t in TOWNS.train], encode)
    truth = {t.example.text: t.breaches for t in TOWNS.train}
    decode: Any = chat._tokenizer.decode

    def shown(*examples: float) -> set[int]:
        settings = JudgementSettings(overall=0.5, policy_texts=4, examples=examples)
        asked = JudgementDrawing(TOWNS, chat, seed=1, settings=settings, neighbours=near)
        counts = set()
        for member in (m for n in range(9) for g in asked.step(n, tokens=1) for m in g.members):
            turns = [decode(turn) for turn in member.prompt.examples]
            if "any of these" in decode(member.prompt.prefix):
                assert not turns
                continue
            counts.add(len(turns))
            assert len(member.shown_answers) == len(turns)
            for turn in turns:
                (text,) = (text for text in truth if text in turn)
                assert ("yes" in turn) == truth[text]
                assert text not in decode(member.prompt.query)
        return counts

    assert shown(1) == {0}
    assert shown(0, 1) == {2}
    assert shown(1, 0, 1) >= {0, 4}


def test_the_groups_of_people_in_shown_examples_are_renamed_too(
    chat: ChatEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Renaming:
        def renamed(self, rng: object, text: str, share: float) -> str:
            return text.replace("Zorvian", "Blorkian") if share else text

    monkeypatch.setattr(judgement_drawing, "shipped_groups", Renaming)
    near = JudgedNeighbours(
        [t.example for t in TOWNS.train], lambda texts: np.ones((len(texts), 1), np.float32)
    )
    settings = JudgementSettings(overall=0.0, examples=(0, 1), renamed=1.0)
    asked = JudgementDrawing(TOWNS, chat, seed=1, settings=settings, neighbours=near)
    decode: Any = chat._tokenizer.decode
    turns = [
        decode(turn)
        for number in range(4)
        for group in asked.step(number, tokens=1)
        for member in group.members
        for turn in member.prompt.examples
    ]
    assert any("Blorkian" in turn for turn in turns)
    assert not any("Zorvian" in turn for turn in turns)


@pytest.mark.parametrize("overall", [0.0, 1.0])
def test_breaching_texts_aimed_elsewhere_breach_nothing(
    chat: ChatEncoder, overall: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    wasps = Group("unprotected", ("wasp", "wasp", "wasps"))
    zorvians = Group("origin", ("zorvian", "zorvian", "zorvians"))
    monkeypatch.setattr(judgement_drawing, "shipped_groups", lambda: Groups([zorvians], [wasps]))
    asked = drawing(chat, overall=overall, retargeted=0.5)
    seen = [
        read(chat, lesson)[1:]
        for number in range(30)
        for group in asked.step(number, tokens=1)
        for lesson in group.members
    ]
    aimed = {query: answer for query, answer in seen if "asp" in query}
    assert set(aimed.values()) == {"no"}
    for words in ("Wasps are dirt.", "Wasps must leave"):
        assert any(words in query for query in aimed)
    assert any(answer == "no" and "asp" not in query for query, answer in seen)
    assert any(answer == "yes" and "Zorvians are dirt." in query for query, answer in seen)


SQUARE = PolicySet(
    policies=(Policy(id="quiet", title="Quiet", definition="Shouts."),),
    examples=(
        JudgedExample(text="HELLO THERE!", violates=("quiet",)),
        JudgedExample(text="Hello there.", complies="all"),
    ),
)


@pytest.mark.parametrize(
    ("strangers", "answers"),
    [
        (Strangers(keeps=("quiet",)), {"no"}),
        (Strangers(breaches=("quiet",)), {"yes"}),
        (Strangers(), set()),
    ],
)
def test_house_rules_are_asked_about_texts_that_breach_policies_where_it_is_known(
    chat: ChatEncoder, strangers: Strangers, answers: set[str]
) -> None:
    rules = Communities({"square": SQUARE}, {"square": strangers})
    settings = JudgementSettings(overall=0.0, policy_texts=8, rules=1.0, strangers=0.5, own=0.5)
    asked = JudgementDrawing(TOWNS, chat, seed=1, settings=settings, communities=rules)
    seen = [
        read(chat, lesson)[1:]
        for number in range(12)
        for group in asked.step(number, tokens=1)
        for lesson in group.members
    ]
    assert all(
        (answer == "yes") == ("HELLO" in q) for q, answer in seen if "ello there" in q.lower()
    )
    strange = [(query, answer) for query, answer in seen if "ello there" not in query.lower()]
    assert {answer for _, answer in strange} == answers
    own = {t.example.text for t in TOWNS.own if t.breaches}
    for texts in (BREACHING, own) if answers else ():
        assert any(text in query for query, _ in strange for text in texts)
    assert len(strange) < len(seen) / 3 and sum(a == "yes" for _, a in seen) == len(seen) / 2


def test_questions_about_house_rules_show_the_communitys_examples(chat: ChatEncoder) -> None:
    more = [JudgedExample(text="GOOD MORNING!", violates=("quiet",))]
    square = SQUARE.model_copy(update={"examples": (*SQUARE.examples, *more)})
    rules = Communities({"square": square}, everyday=["Thanks.", "Rain today."])
    near = JudgedNeighbours(square.examples, lambda t: np.ones((len(t), 1), np.float32))
    decode: Any = chat._tokenizer.decode

    def seen(**changed: Any) -> list[tuple[str, list[str]]]:
        settings = JudgementSettings(
            overall=0.0, policy_texts=8, rules=1.0, examples=(0, 1), **changed
        )
        asked = JudgementDrawing(
            TOWNS, chat, seed=1, settings=settings, communities=rules,
            of_communities={"square": near},
        )  # fmt: skip
        groups = [g for number in range(6) for g in asked.step(number, tokens=1)]
        return [
            (decode(m.prompt.query), [decode(turn) for turn in m.prompt.examples])
            for group in groups
            for m in group.members
        ]

    for query, turns in seen(everyday=0.5):
        assert len(turns) == (1 if "hello there" in query.lower() else 2)
        for turn in turns:
            (text,) = (e.text for e in square.examples if e.text in turn)
            assert ("yes" in turn) == (text != "Hello there.") and text not in query
    assert any("Thanks." in query for query, _ in seen(everyday=0.5))
    assert not any("Thanks." in query for query, _ in seen())
    assert not any(turns for _, turns in seen(turned=1.0))


def test_house_rules_are_asked_about_beside_the_policies(chat: ChatEncoder) -> None:
    rules = Communities({"square": SQUARE})
    settings = JudgementSettings(overall=0.0, policy_texts=4, rules=0.5, turned=0.5)
    asked = JudgementDrawing(TOWNS, chat, seed=1, settings=settings, communities=rules)
    kinds = set()
    for number in range(20):
        for group in asked.step(number, tokens=1):
            for prefix, query, answer in (read(chat, lesson) for lesson in group.members):
                rule = "Shouts." in prefix
                turned = rule and "Quiet: Shouts." not in prefix
                if rule:
                    assert (answer == "yes") == (("HELLO" in query) != turned)
                kinds.add((rule, turned))
    assert kinds == {(False, False), (True, False), (True, True)}


def test_communities_change_nothing_where_no_house_rules_are_asked_for(chat: ChatEncoder) -> None:
    settings = JudgementSettings()
    with_rules = JudgementDrawing(
        TOWNS, chat, seed=1, settings=settings, communities=shipped_communities()
    )
    without = JudgementDrawing(TOWNS, chat, seed=1, settings=settings)
    assert with_rules.step(2, tokens=600) == without.step(2, tokens=600)
