"""The house rules: what is asked by which pack, and how figures read."""

import asyncio
from pathlib import Path

import pytest

from benchmarks.house_rules import NAMES, RULES, added, ask, everyday, report
from benchmarks.policy_probes import Probe
from training.communities import shipped_communities
from training.judged_texts import TaughtText
from training.moderation_rows import same_text
from training.untaught import NewSet, house_rules, read_new_set
from wraner.pack_folders import read_pack_folder
from wraner.packs import JudgedExample, Policy, PolicySet, check_pack
from wraner.policies import Coverage, PolicyMatch, Verdict

ROOT = Path(__file__).parents[2]
FORUM = RULES / "forum"


class Naming(Probe):
    """Names the policy that stands first in the pack, or the second where it has examples."""

    def __init__(self) -> None:
        pass

    async def ask(self, pack: PolicySet, text: str, policies: tuple[str, ...] = ()) -> Verdict:
        likely = 1 if pack.examples else 0
        judged = tuple(
            PolicyMatch(p.id, p.title, None, 0.9 if n == likely else 0.2, (), ())
            for n, p in enumerate(pack.policies)
        )
        return Verdict("violates", 0.9, True, (), Coverage(1, 1, False), judged, 0, "g")


def test_every_text_is_asked_and_a_breached_policy_that_comes_first_is_counted() -> None:
    new = read_new_set(FORUM)
    bare = new.pack.model_copy(update={"examples": ()})
    for pack, policy in ((new.pack, new.pack.policies[1]), (bare, new.pack.policies[0])):
        verdicts = asyncio.run(ask(Naming(), new, pack))
        named = sum(policy.id in t.example.violates for t in new.texts)
        assert len(verdicts) == len(new.texts) and named == 4
        assert report("way", new, verdicts).startswith(
            "way: a breached policy comes first in 4 of 20\n"
        )


def test_the_report_says_what_is_wrong_and_how_allow_lists_fare() -> None:
    pack = PolicySet(policies=(Policy(id="q", title="Q", definition="Only questions."),))
    judged = (("bad", ("q",)), ("worse", ("q",)), ("fine", ()))
    texts = [JudgedExample(text=t, violates=v) for t, v in judged]
    new = NewSet(pack, tuple(TaughtText(e, e.violates, 1.0) for e in texts))
    verdicts = [
        Verdict(
            decision, score, True, (), Coverage(1, 1, False),
            (PolicyMatch("q", "Q", None, score, (), ()),), 0, "g",
        )
        for decision, score in (("allowed", 0.1), ("violates", 0.9), ("allowed", 0.4))
    ]  # fmt: skip
    text = report("with examples", new, verdicts)  # type: ignore[arg-type]
    assert text.startswith("with examples: a breached policy comes first in 2 of 2\n")
    assert "q, allowed alone: AUROC 0.500, 1 of 2 breaches score .5, and 0 of the others" in text
    assert "allowed 0.10  bad" in text and "worse" not in text


@pytest.mark.parametrize("name", NAMES)
def test_everyday_messages_keep_what_is_forbidden(name: str) -> None:
    new = read_new_set(RULES / name)
    asked = everyday(new.pack)
    check_pack(asked.pack)
    assert not any(p.is_allow_list for p in asked.pack.policies)
    assert {p.id for p in asked.pack.policies} >= {
        p for e in asked.pack.examples for p in e.violates
    }
    assert len(asked.texts) == len(set(asked.texts)) == 80
    assert not any(t.breaches for t in asked.texts)
    taught = {same_text(text) for text in shipped_communities().texts}
    taught |= {same_text(e.text) for e in new.pack.examples}
    assert not taught & {same_text(t.example.text) for t in asked.texts}


@pytest.mark.parametrize("name", NAMES)
def test_no_text_is_an_example_or_fitted(name: str) -> None:
    new = read_new_set(RULES / name)
    asked = [t.example.text for t in new.texts]
    fitted = {t.example.text for other in house_rules([]).values() for t in other.texts}
    assert len(set(asked)) == len(asked)
    assert not set(asked) & ({e.text for e in new.pack.examples} | fitted)


def test_policies_are_added_with_examples_that_say_nothing_of_the_others() -> None:
    base, new = read_pack_folder(ROOT / "packs" / "hate-speech"), read_new_set(FORUM).pack
    assert isinstance(base, PolicySet)
    both = added(base, new)
    check_pack(both)
    assert both.policies == (*base.policies, *new.policies)
    for kept, before in zip(both.examples, base.examples, strict=False):
        everything = {p.id for p in both.policies}
        assert (kept.id, kept.violates) == (before.id, before.violates)
        assert set(kept.complies) == (
            everything if before.complies == "all" else {*before.complies}
        )
    theirs = both.examples[len(base.examples) :]
    assert [e.text for e in theirs] == [e.text for e in new.examples]
    ids = {p.id for p in new.policies}
    assert all(ids >= {*e.violates, *e.complies} for e in theirs)


def test_what_keeps_all_rules_of_a_set_need_not_be_what_another_alone_allows() -> None:
    base = PolicySet(
        policies=(Policy(id="a", title="A", definition="Insults."),),
        examples=(JudgedExample(id="fine", text="Fine.", complies="all"),),
    )
    new = PolicySet(
        policies=(
            Policy(id="b", title="B", definition="Only questions."),
            Policy(id="c", title="C", definition="Adverts."),
        ),
        examples=(JudgedExample(id="why", text="Why?", complies="all"),),
    )
    fine, why = added(base, new).examples
    assert (fine.complies, why.complies) == (("a", "c"), ("b", "c"))
