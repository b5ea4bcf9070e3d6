"""Policy sets that nobody was taught: what they hold, and that each is asked about in two ways."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.training.judged_towns import TOWNS, taught
from tests.training.test_calibration import Knowing
from training.judge_answers import Judge
from training.judged_texts import JudgedSettings, TaughtText, read_judged_texts
from training.moderation_rows import same_text
from training.untaught import (
    NewSet,
    allow_lists,
    ask_new_set,
    house_rules,
    left_out,
    read_new_set,
)
from wraner.errors import InvalidInput
from wraner.pack_folders import read_definitions
from wraner.packs import JudgedExample, Policy, PolicySet
from wraner.retrieval import Evidence, JudgedNeighbour, Neighbours, PackRef, PolicyEvidence

ROOT = Path(__file__).parents[2]
GONE = ("exclude-expel", "contempt-dislike")


def test_house_rules_are_pack_folders_with_texts_on_both_sides() -> None:
    found = house_rules([])
    assert len(found) >= 2
    for new in found.values():
        texts = [t.example.text for t in new.texts]
        assert not {e.text for e in new.pack.examples} & set(texts)
        for policy in new.pack.policies:
            assert sum(policy.id in t.example.violates for t in new.texts) >= 3
            examples = [policy.id in e.violates for e in new.pack.examples]
            assert sum(examples) >= 2
        assert sum(not t.breaches for t in new.texts) >= sum(t.breaches for t in new.texts)


def test_house_rules_are_not_about_what_is_taught_or_measured() -> None:
    rules = {n: {p.title for p in new.pack.policies} for n, new in house_rules([]).items()}
    asked = [read_new_set(folder).pack for folder in (ROOT / "benchmarks" / "rules").iterdir()]
    measured = {p.title for pack in asked for p in pack.policies}
    shipped = read_definitions(ROOT / "packs" / "hate-speech")
    assert isinstance(shipped, PolicySet)
    for titles in rules.values():
        assert not titles & (measured | {p.title for p in shipped.policies})


def test_texts_that_breach_taught_policies_keep_house_rules() -> None:
    plain, asked = house_rules([]), house_rules([t for t in TOWNS.dev if t.breaches])
    for name, new in asked.items():
        added = new.texts[len(plain[name].texts) :]
        assert [t.example.text for t in added] == [t.example.text for t in TOWNS.dev if t.breaches]
        assert not any(t.breaches or t.near for t in added)
        assert {t.example.complies for t in added} == {"all"}
    many = [t for t in TOWNS.dev if t.breaches] * 30
    assert len(house_rules(many)["office"].texts) == len(plain["office"].texts) + 40


def test_each_set_is_beside_other_texts() -> None:
    texts = [taught(f"Zorvian {n} must leave.", ("expel",), True) for n in range(400)]
    for with_others, without in ((house_rules, house_rules([])), (allow_lists, allow_lists([]))):
        beside = [
            frozenset(t.example.text for t in new.texts[len(without[name].texts) :])
            for name, new in with_others(texts).items()
        ]
        assert {len(some) for some in beside} == {40}
        shared = [len(a & b) for a in beside for b in beside if a is not b]
        assert max(shared) < 15


def test_rules_that_name_what_is_allowed_stand_apart_and_other_texts_breach_them() -> None:
    asked = [t for t in TOWNS.dev if t.breaches]
    plain, found = allow_lists([]), allow_lists(asked)
    assert len(found) >= 2
    assert not any(p.is_allow_list for new in house_rules([]).values() for p in new.pack.policies)
    for name, new in found.items():
        ids = {p.id for p in new.pack.policies}
        assert all(p.is_allow_list for p in new.pack.policies)
        for example in (*new.pack.examples, *(t.example for t in new.texts)):
            assert {*example.violates, *example.complies} == ids
        for policy in ids:
            assert sum(policy in t.example.violates for t in plain[name].texts) >= 4
        added = new.texts[len(plain[name].texts) :]
        assert [t.example.text for t in added] == [t.example.text for t in asked]
        assert all(set(t.example.violates) == ids for t in added)


def test_a_domain_is_no_new_set() -> None:
    with pytest.raises(InvalidInput, match=r"expected a policy set in .*customer-care"):
        read_new_set(ROOT / "packs" / "customer-care")


def test_policies_left_out_come_with_what_was_not_taught(hatemoderate: Path) -> None:
    more = (ROOT / "training" / "near_misses.jsonl",)
    settings = JudgedSettings(policy_set=ROOT / "packs" / "hate-speech", without=GONE, more=more)
    own, few = left_out(settings, hatemoderate.parent).values()
    judged = read_judged_texts(settings, hatemoderate.parent)
    known = {same_text(t.example.text) for t in judged.train}
    assert len(own.pack.examples) < 40, "near misses are for teaching alone"
    for new in (own, few):
        assert {p.id for p in new.pack.policies} == set(GONE)
        assert {p for e in new.pack.examples for p in e.violates} == set(GONE)
        assert any(not e.violates for e in new.pack.examples)
        asked = {same_text(t.example.text) for t in new.texts}
        assert not asked & (known | {same_text(e.text) for e in new.pack.examples})
        assert {p for t in new.texts for p in (*t.near, *t.example.violates)} == set(GONE)
        assert len({t.breaches for t in new.texts}) == 2
    breaching = [e for e in few.pack.examples if e.violates]
    assert len(breaching) == 3 * len(GONE)
    clean = {t.example.text for t in judged.train if not t.breaches}
    assert {e.text for e in few.pack.examples if not e.violates} == clean
    assert len(few.texts) == len(own.texts) - len(breaching)


def test_examples_in_questions_are_as_many_as_asked_for_and_none_by_words_alone() -> None:
    rows = [JudgedExample(text=f"late {n}", violates=("late",)) for n in range(3)]
    found = tuple(JudgedNeighbour(e, 0.9) for e in rows)
    policy = Policy(id="late", title="late", definition="Being late.")
    pack = PolicySet(policies=(policy,), examples=tuple(rows))

    class Near(Shy):
        async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
            assert pack.inline is not None
            some = found[:k] if pack.inline.examples else ()
            return [Evidence((PolicyEvidence("late", some, (), 0.3, ()),), "g") for _ in texts]

    engine = Knowing()
    judge = Judge(Near(), engine, "ad", shown=1)
    texts = (TaughtText(JudgedExample(text="text", violates=("late",)), ("late",), 1.0),)
    asyncio.run(ask_new_set(judge, NewSet(pack, texts)))
    about = [r.prompt for r in engine.asked if "any of these" not in r.prompt.instruction]
    assert [len(p.examples) for p in about] == [1, 0]


class Shy:
    """Finds the policy of a text first; knows more where there are examples."""

    def __init__(self) -> None:
        self.packs: list[PackRef] = []

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        raise NotImplementedError

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        self.packs.append(pack)
        assert pack.inline is not None
        leaning = 2.0 if pack.inline.examples else 0.0
        order = ("late", "early") if leaning else ("early", "late")
        policies = tuple(PolicyEvidence(p, (), (), 0.3, ()) for p in order)
        return [Evidence(policies, "g", leaning=leaning) for _ in texts]


def test_a_set_is_asked_about_with_its_examples_and_by_its_words() -> None:
    pack = PolicySet(
        policies=tuple(Policy(id=i, title=i, definition=f"Being {i}.") for i in ("late", "early")),
        examples=(JudgedExample(text="I am late.", violates=("late",)),),
    )
    texts = tuple(
        TaughtText(JudgedExample(text=f"text {n}", violates=("late",)), ("late",), 1.0)
        for n in range(4)
    )
    engine, retriever = Knowing(), Shy()
    judge = Judge(retriever, engine, "ad", shortlist=1)
    shown, bare = asyncio.run(ask_new_set(judge, NewSet(pack, texts)))
    assert len(engine.asked) == 4 * 3, "every policy and the whole set, once"
    assert [bool(p.inline and p.inline.examples) for p in retriever.packs] == [True, False]
    assert {a.evidence.leaning for a in shown} == {2.0}
    assert {a.evidence.leaning for a in bare} == {0.0}
    for a, b in zip(shown, bare, strict=True):
        assert (a.text, a.overall) == (b.text, b.overall) and a.text.weight == 0.25
        assert [e.policy for e, _ in a.judged] == ["late", "early"]
        assert [e.policy for e, _ in b.judged] == ["early", "late"]
        assert dict((e.policy, x) for e, x in a.judged) == dict((e.policy, x) for e, x in b.judged)
