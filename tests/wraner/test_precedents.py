"""Precedents: whoever corrects a verdict by an example is not asked again by the same words."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.wraner.test_moderate import (
    IDS,
    POLICIES,
    WHOLE,
    FakeRetriever,
    OverallEngine,
    evidence,
)
from wraner.moderate import ModerateTask, Moderator, ModeratorSettings
from wraner.packs import JudgedExample
from wraner.policies import Verdict
from wraner.precedents import precedents, words_of
from wraner.retrieval import Evidence, JudgedNeighbour, PackRef, PolicyEvidence


class Remembering(FakeRetriever):
    """Finds some examples on each side of every policy that they judge."""

    def __init__(self, *examples: JudgedExample) -> None:
        self._examples = examples

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        found = tuple(map(self._of, IDS))
        return [Evidence(found, "generation") for _ in texts]

    def _of(self, policy: str) -> PolicyEvidence:
        near = [JudgedNeighbour(e, 0.9) for e in self._examples]
        return PolicyEvidence(
            policy,
            violating=tuple(n for n in near if policy in n.example.violates),
            complying=tuple(
                n for n in near if n.example.complies == "all" or policy in n.example.complies
            ),
            definition=0.2,
            spans=(),
        )


def judged(
    text: str,
    *examples: JudgedExample,
    shortlist: int = 2,
    found_by: type[Remembering] = Remembering,
    **task: object,
) -> Verdict:
    moderator = Moderator(
        retriever=found_by(*examples),
        engine=OverallEngine(),
        settings=ModeratorSettings(WHOLE, shortlist, window_words=8, overlap_words=1),
    )
    asked = ModerateTask(POLICIES, PackRef("v"), (text,), **task)  # type: ignore[arg-type]
    return asyncio.run(moderator.moderate(asked))[0]


def example(text: str, **says: object) -> JudgedExample:
    return JudgedExample.model_validate({"text": text, **says})


LOUD, QUIET = "aaa bbb !!!!", "so be it"


def test_without_an_example_in_its_words_a_text_is_judged_by_the_model() -> None:
    other = example(LOUD + " more", complies="all")
    assert judged(LOUD, other).decision == "violates" and judged(QUIET, other).decision == "allowed"


@pytest.mark.parametrize("text", [LOUD, "Aaa, BBB!", "  aaa\nbbb"])
def test_what_an_example_allows_is_allowed_in_whatever_case_and_marks(text: str) -> None:
    verdict = judged(text, example(LOUD, complies="all"))
    assert (verdict.decision, verdict.score, verdict.matches) == ("allowed", 0.0, ())
    assert [m.score for m in verdict.judged] == [0.0, 0.0]


def test_what_an_example_breaches_is_breached_also_beyond_the_shortlist() -> None:
    verdict = judged(QUIET + ".", example(QUIET, violates=("c",)))
    assert (verdict.decision, verdict.score) == ("violates", 1.0)
    assert [(m.policy, m.score) for m in verdict.matches] == [("c", 1.0)]
    assert [m.policy for m in verdict.judged] == list(IDS)
    named = judged(QUIET, example(QUIET, violates=("c",)), policies=("a",))
    assert [m.policy for m in named.judged] == ["a"] and named.decision == "allowed"


def test_an_example_that_keeps_one_policy_says_nothing_of_the_others() -> None:
    kept = judged(LOUD, example(LOUD, complies=("a",)))
    assert kept.decision == "violates" and [m.policy for m in kept.matches] == ["b"]
    alone = judged(LOUD, example(LOUD, complies=("a",)), policies=("a",))
    assert (alone.decision, alone.score) == ("allowed", 0.0)


def test_an_example_that_keeps_each_policy_by_name_keeps_all() -> None:
    verdict = judged(LOUD, example(LOUD, complies=IDS))
    assert (verdict.decision, verdict.score) == ("allowed", 0.0)


def test_what_is_kept_makes_room_in_the_shortlist_and_is_not_named() -> None:
    verdict = judged("ccc !!!!", example("ccc", complies=("a",)))
    assert [m.policy for m in verdict.judged] == ["b", "c"]
    assert (verdict.decision, verdict.matches[0].policy) == ("violates", "c")


def test_of_a_group_beside_the_shortlist_what_no_example_clears_is_judged() -> None:
    cleared = example("ccc", complies=("b",))
    verdict = judged("ccc !!!!", cleared, shortlist=1, beside=(("b", "c"),))
    assert [m.policy for m in verdict.judged] == ["a", "c"]


def test_a_longer_text_is_not_settled_by_a_part_of_it_but_by_all_its_words() -> None:
    words = "one two three four five six seven eight "
    text = words + LOUD
    verdict = judged(text, example(words, complies="all"))
    assert verdict.coverage.windows == 2 and verdict.decision == "violates"
    assert judged(text, example(text, complies="all")).decision == "allowed"
    assert judged(words + QUIET, example(words + QUIET, violates=("c",))).score == 1.0


class OfWholeTexts(Remembering):
    """Finds examples by whole texts alone: to the windows others lie nearer."""

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        none = Evidence(tuple(map(evidence, IDS)), "generation")
        own = {e.text for e in self._examples}
        found = await super().evidence(pack, texts, k)
        return [f if text in own else none for f, text in zip(found, texts, strict=True)]


def test_a_long_text_is_settled_by_its_example_wherever_that_lies_from_its_windows() -> None:
    text = "one two three four five six seven eight " + LOUD
    cleared = judged(text, example(text, complies="all"), found_by=OfWholeTexts)
    assert cleared.decision == "allowed" and cleared.coverage.windows == 2
    assert judged(text, example(text + "?", complies="all"), found_by=OfWholeTexts).flagged


@pytest.mark.parametrize("disputed", IDS)
def test_examples_that_disagree_settle_nothing_wherever_the_policy_ranks(disputed: str) -> None:
    both = (example(LOUD, violates=(disputed,)), example(LOUD.upper(), complies="all"))
    verdict, alone = judged(LOUD, *both), judged(LOUD)
    assert verdict.decision == alone.decision == "violates" and verdict.score == alone.score
    assert disputed in {m.policy for m in verdict.judged}
    quiet = judged(QUIET, example(QUIET, violates=(disputed,)), example(QUIET, complies="all"))
    assert quiet.decision == "allowed" and quiet.score == judged(QUIET).score > 0
    both_sides = precedents(([evidence("a")], words_of("T!")))
    assert both_sides.accused == {"a"} and not both_sides.breached | both_sides.kept


def test_case_spaces_and_punctuation_are_left_aside_and_nothing_else() -> None:
    assert words_of("It's  OVER, E\u0301va!") == words_of("it s over éva") == "it s over éva"
    assert words_of("🙂 🙂") == words_of(" 🙂\n🙂 ") != words_of("🙃")
    assert words_of("I love them 🐒") != words_of("I love them")
    assert words_of("मारो") != words_of("मेरा")
    assert words_of("?!") == "?!" and words_of(" \n") == ""
