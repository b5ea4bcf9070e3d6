import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from wraner.engine import Answer, GenerateRequest, ModelInfo, ScoreRequest, Scores
from wraner.entities import Span
from wraner.fusion import Fusion, VerdictFusion, lead, wordings
from wraner.moderate import ModerateTask, Moderator, ModeratorSettings
from wraner.packs import JudgedExample, Policy, PolicySet
from wraner.policies import Verdict
from wraner.retrieval import Evidence, JudgedNeighbour, Neighbours, PackRef, PolicyEvidence

IDS = ("a", "b", "c")
POLICIES = PolicySet(
    policies=tuple(Policy(id=i, title=f"Title {i}", tier=1, definition=f"No {i}.") for i in IDS)
)


def near(identity: str, similarity: float, **judged: Any) -> JudgedNeighbour:
    return JudgedNeighbour(JudgedExample(id=identity, text="t", **judged), similarity)


def evidence(policy: str) -> PolicyEvidence:
    return PolicyEvidence(
        policy,
        violating=(near(f"{policy}+", 0.7, violates=(policy,)),),
        complying=(near(f"{policy}-", 0.4, complies="all"),),
        definition=0.2,
        spans=(Span(0, 3),),
    )


class FakeRetriever:
    """All policies, in the order of their ids."""

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        raise NotImplementedError

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        return [Evidence(tuple(evidence(i) for i in IDS), "generation") for _ in texts]


class WordEngine:
    """Says yes as loudly as the text names the policy: ``bbb`` is 3 for policy b."""

    def __init__(self) -> None:
        self.asked: list[ScoreRequest] = []

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        self.asked += requests
        return [Scores((self._logit(r), 0.0), len(r.prompt.examples)) for r in requests]

    def _logit(self, request: ScoreRequest) -> float:
        policy = request.prompt.instruction.split("Title ")[1][0]
        return float(request.prompt.text.count(policy))

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Answer]:
        raise NotImplementedError

    async def info(self) -> ModelInfo:
        return ModelInfo("fake", ())


def moderate(*texts: str, engine: WordEngine | None = None, **task: Any) -> list[Verdict]:
    fusion = Fusion(judge=1.0, margin=1.0, bias=-2.3)
    moderator = Moderator(
        retriever=FakeRetriever(),
        engine=engine or WordEngine(),
        settings=ModeratorSettings(
            fusion, shortlist=2, threshold=0.5, review_band=0.3, window_words=4, overlap_words=1
        ),
    )
    policies = task.pop("policy_set", POLICIES)
    return asyncio.run(moderator.moderate(ModerateTask(policies, PackRef("v"), texts, **task)))


def test_decisions_follow_the_score() -> None:
    quiet, unsure, loud = moderate("x", "b", "bbb a")
    assert (quiet.decision, quiet.matches, quiet.flagged) == ("allowed", (), False)
    assert (unsure.decision, unsure.flagged) == ("review", False)
    assert [m.policy for m in unsure.matches] == ["b"]
    assert (loud.decision, loud.flagged) == ("violates", True)
    assert [m.policy for m in loud.matches] == ["b"]
    assert loud.score == loud.matches[0].score == pytest.approx(1 / (1 + 2.718281828**-1))
    assert not loud.calibrated


def test_shortlist_named_and_exhaustive() -> None:
    engine = WordEngine()
    (short,) = moderate("ccc", engine=engine)
    assert ([m.policy for m in short.judged], short.policies_skipped) == (["a", "b"], 1)
    assert len(engine.asked) == 2 and short.matches == ()
    (named,) = moderate("ccc", policies=("c",))
    assert ([m.policy for m in named.judged], named.decision) == (["c"], "violates")
    (every,) = moderate("ccc", exhaustive=True)
    assert (tuple(m.policy for m in every.judged), every.policies_skipped) == (IDS, 0)
    assert every.decision == "violates"


def allowing(*policies: str) -> PolicySet:
    """Return the policies, of which these name what alone is allowed."""
    changed = tuple(
        p.model_copy(update={"definition": f"Anything but {p.id}."}) if p.id in policies else p
        for p in POLICIES.policies
    )
    return POLICIES.model_copy(update={"policies": changed})


def test_allow_lists_are_judged_beside_the_shortlist_the_farthest_first() -> None:
    (verdict,) = moderate("ccc", policy_set=allowing("c"))
    assert [m.policy for m in verdict.judged] == ["a", "b", "c"]
    engine = WordEngine()
    (verdict,) = moderate("x", policy_set=allowing(*IDS), engine=engine)
    assert [m.policy for m in verdict.judged] == ["b", "c"] and verdict.policies_skipped == 1
    assert [r.prompt.instruction.split("Title ")[1][0] for r in engine.asked] == ["c", "b"]


def test_an_allow_list_whose_known_breach_a_text_resembles_is_judged() -> None:
    class Knowing(FakeRetriever):
        async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
            (found,) = await super().evidence(pack, texts, k)
            first, *rest = found.policies
            known = replace(first, violating=(near("a+", 1.0, violates=("a",)),))
            return [replace(found, policies=(known, *rest))]

    settings = ModeratorSettings(Fusion(judge=1.0, margin=1.0, bias=-2.3), shortlist=1)
    moderator = Moderator(retriever=Knowing(), engine=WordEngine(), settings=settings)
    task = ModerateTask(allowing(*IDS), PackRef("v"), ("x",))
    (verdict,) = asyncio.run(moderator.moderate(task))
    assert [m.policy for m in verdict.judged] == ["a"]


def test_no_words_are_shown_for_what_a_text_lacks() -> None:
    (verdict,) = moderate("aaaa ccccc", policy_set=allowing("c"))
    assert {m.policy: m.evidence for m in verdict.matches} == {"a": (Span(0, 3),), "c": ()}


def test_nearness_to_what_is_allowed_says_nothing_of_a_breach() -> None:
    hearing = VerdictFusion(overall=0.0, leaning=0.0, strongest=0.0, bias=-1.0, definition=5.0)
    fusion = WHOLE.model_copy(
        update={
            "verdict": hearing,
            "taught": wordings(POLICIES.policies[:1]),
            "untaught": WHOLE.model_copy(update={"verdict": None, "bias": -9.0}),
        }
    )
    (near_one,) = moderate("x", fusion=fusion, engine=OverallEngine())
    assert near_one.score == pytest.approx(0.5), "5 times .2, the likeness of each policy, less 1"
    allowed = allowing("b", "c")
    (same,) = moderate("x", fusion=fusion, engine=OverallEngine(), policy_set=allowed)
    assert same.score == near_one.score
    every = allowing(*IDS)
    asked = OverallEngine()
    (none,) = moderate("x", fusion=fusion, engine=asked, policy_set=every)
    assert none.score < 0.01 and len(asked.asked) == 2, "nothing is left that was taught"


def test_thresholds_of_the_request_and_of_the_policy() -> None:
    (strict,) = moderate("b", threshold=0.99)
    assert strict.decision == "allowed"
    (loose,) = moderate("b", threshold=0.1)
    assert loose.decision == "violates"
    own = POLICIES.model_copy(
        update={"policies": (POLICIES.policies[0].model_copy(update={"threshold": 0.05}),)}
    )
    (verdict,) = moderate("x", policy_set=own, policies=("a",), threshold=0.99)
    assert verdict.decision == "violates"


def test_matches_cite_their_examples_and_evidence() -> None:
    (verdict,) = moderate("one two three aaaaa five six seven eight")
    (match,) = verdict.matches
    assert verdict.coverage.windows > 1
    assert (match.policy, match.title, match.tier) == ("a", "Title a", 1)
    assert [c.id for c in match.neighbours] == ["a+", "a-"]
    assert match.evidence in ((Span(0, 3),), (Span(8, 11),))
    assert verdict.index == "generation"


def test_examples_stand_in_the_prompt_with_their_verdicts() -> None:
    engine = WordEngine()
    shows = Fusion(judge=1.0, margin=1.0, bias=-2.3, examples_shown=1)
    moderate("x", engine=engine, policies=("a",), adapter="ad", deadline=7.0, fusion=shows)
    (asked,) = engine.asked
    assert [t.answer for t in asked.prompt.examples] == ["no", "yes"]
    assert (asked.adapter, asked.deadline, asked.continuations) == ("ad", 7.0, ("yes", "no"))


class Crowded(FakeRetriever):
    """Finds two examples a side."""

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        more = replace(
            evidence("a"),
            violating=(near("a+", 0.7, violates=("a",)), near("a++", 0.3, violates=("a",))),
            complying=(near("a-", 0.4, complies="all"), near("a--", 0.1, complies="all")),
        )
        return [Evidence((more,), "generation") for _ in texts]


class Cramped(WordEngine):
    """Has room for one example a question."""

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        return [replace(s, examples_used=1) for s in await super().score(requests)]


@pytest.mark.parametrize(
    ("a_side", "engine", "cited"),
    [
        *((a_side, WordEngine(), ["a+", "a-", "a++", "a--"]) for a_side in range(3)),
        (1, Cramped(), ["a+", "a++", "a--"]),
    ],
)
def test_so_many_examples_a_side_are_shown_and_none_is_left_out_in_silence(
    a_side: int, engine: WordEngine, cited: list[str]
) -> None:
    shows = Fusion(judge=1.0, margin=0.0, bias=0.0, examples_shown=a_side)
    moderator = Moderator(retriever=Crowded(), engine=engine, settings=ModeratorSettings(shows))
    policies = PolicySet(policies=POLICIES.policies[:1])
    (verdict,) = asyncio.run(moderator.moderate(ModerateTask(policies, PackRef("v"), ("aa",))))
    (asked,) = engine.asked
    assert len(asked.prompt.examples) == 2 * a_side
    assert [c.id for c in verdict.matches[0].neighbours] == cited


def test_a_missing_side_is_replaced_by_the_policys_own_words() -> None:
    whole = evidence("a")
    assert lead(whole) == pytest.approx(0.3)
    assert lead(PolicyEvidence("a", (), (), 0.2, ())) == 0.0
    assert lead(PolicyEvidence("a", whole.violating, (), 0.2, ())) == pytest.approx(0.5)


WHOLE = Fusion(
    judge=1.0,
    margin=1.0,
    bias=-2.3,
    verdict=VerdictFusion(overall=1.0, leaning=0.5, strongest=0.0, bias=-2.0),
    examples_shown=0,
    calibrated=True,
)


class OverallEngine(WordEngine):
    """Asked about the whole set, says yes as loudly as the text has exclamation marks."""

    def _logit(self, request: ScoreRequest) -> float:
        if "any of these policies" in request.prompt.instruction:
            return float(request.prompt.text.count("!"))
        return super()._logit(request)


def test_a_text_has_a_score_of_its_own() -> None:
    engine = OverallEngine()
    quiet, unsure, loud = moderate("x", "x !!", "x !!!", engine=engine, fusion=WHOLE)
    assert [v.decision for v in (quiet, unsure, loud)] == ["allowed", "violates", "violates"]
    assert unsure.score == 0.5 and loud.score == pytest.approx(1 / (1 + 2.718281828**-1))
    assert loud.calibrated and [m.policy for m in loud.matches] == ["a"]  # the likeliest is named
    assert len(engine.asked) == 3 * 3 and not any(r.prompt.examples for r in engine.asked)
    assert [c.id for c in loud.matches[0].neighbours] == ["a+", "a-"]


def test_policies_that_were_not_taught_are_scored_by_their_own_weights() -> None:
    a, b, _ = POLICIES.policies
    untaught = WHOLE.model_copy(
        update={
            "judge": -1.0,
            "verdict": VerdictFusion(overall=0.0, leaning=0.0, strongest=1.0, bias=4.0),
            "examples_shown": 1,
        }
    )
    engine = OverallEngine()
    mixed = WHOLE.model_copy(update={"taught": wordings([a, b]), "untaught": untaught})
    (verdict,) = moderate("aa cc !!", engine=engine, fusion=mixed, exhaustive=True)
    plain, other = (WHOLE.score(2.0, evidence("a")), untaught.score(2.0, evidence("c")))
    assert [j.score for j in verdict.judged] == [plain, WHOLE.score(0.0, evidence("b")), other]
    assert [len(r.prompt.examples) for r in engine.asked] == [0, 0, 2, 0]
    assert verdict.score == pytest.approx(0.5) and not verdict.calibrated
    (surer,) = moderate("aa", engine=OverallEngine(), fusion=mixed, exhaustive=True)
    assert surer.score == pytest.approx(1 / (1 + 2.718281828 ** -(4 - 2.0)))


def test_a_set_of_which_nothing_was_taught_is_not_asked_about() -> None:
    surest = VerdictFusion(overall=0.0, leaning=0.0, strongest=1.0, bias=1.0)
    fusion = WHOLE.model_copy(
        update={"taught": ("0",), "untaught": WHOLE.model_copy(update={"verdict": surest})}
    )
    engine = OverallEngine()
    (verdict,) = moderate("aa !!", engine=engine, fusion=fusion)
    assert len(engine.asked) == 2 and verdict.calibrated
    alone = WHOLE.score(2.0, evidence("a"))
    assert alone == pytest.approx(0.5) and verdict.score == pytest.approx(1 / (1 + 2.718281828**-1))
    assert (verdict.decision, [m.policy for m in verdict.matches]) == ("violates", ["a"])


def test_what_an_answer_about_the_set_speaks_of_is_judged_too() -> None:
    own = WHOLE.model_copy(update={"verdict": None})
    some = WHOLE.model_copy(update={"taught": wordings(POLICIES.policies[2:]), "untaught": own})
    (verdict,) = moderate("ccc !!!", engine=OverallEngine(), fusion=some)
    assert [m.policy for m in verdict.judged] == list(IDS)
    assert (verdict.decision, [m.policy for m in verdict.matches]) == ("violates", ["c"])


class CrampedEngine(OverallEngine):
    """Cannot read the titles of the whole set together with more than eight characters."""

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        found = await super().score(requests)
        return [
            Scores((), 0) if r.dispensable and len(r.prompt.text) > 8 else s
            for r, s in zip(requests, found, strict=True)
        ]


def test_a_set_whose_titles_do_not_fit_is_judged_by_its_policies_alone() -> None:
    for words, shown in (("x aaaaaaa", "violates"), ("x aaa", "allowed"), ("b xxxxxxxx", "review")):
        (verdict,) = moderate(words, engine=CrampedEngine(), fusion=WHOLE)
        (own,) = moderate(words, fusion=WHOLE.model_copy(update={"verdict": None}))
        assert verdict.decision == shown and verdict.calibrated is (len(words) <= 8)
        assert not own.calibrated and (verdict.score == own.score) is (len(words) > 8)
        assert [(m.policy, m.score) for m in verdict.judged] == [
            (m.policy, m.score) for m in own.judged
        ]


def test_the_highest_of_several_windows_is_no_probability() -> None:
    for text, windows in (("x !!!", 1), ("x y z !!! a", 2)):
        (verdict,) = moderate(text, engine=OverallEngine(), fusion=WHOLE)
        assert verdict.coverage.windows == windows and verdict.calibrated is (windows == 1)


def test_a_sure_policy_is_a_match_only_where_the_text_breaches_something() -> None:
    (verdict,) = moderate("aaaa", engine=OverallEngine(), fusion=WHOLE)
    assert (verdict.decision, verdict.matches) == ("allowed", ())
    (verdict,) = moderate("aaaa bbb !!!", engine=OverallEngine(), fusion=WHOLE)
    assert [m.policy for m in verdict.matches] == ["a", "b"]


def test_a_shortlist_of_some_policies_is_not_decided_by_the_whole_set() -> None:
    engine = OverallEngine()
    (some,) = moderate("ccc !!!", engine=engine, fusion=WHOLE, among=("a", "b"))
    assert [m.policy for m in some.judged] == ["a", "b"] and len(engine.asked) == 2
    assert some.decision == "allowed" and not some.matches and not some.calibrated
    (every,) = moderate("c", engine=engine, fusion=WHOLE, among=IDS, beside=(("b", "c"), ("c",)))
    assert [m.policy for m in every.judged] == list(IDS), "b is nearer and answers for its group"


def test_named_policies_are_judged_without_asking_about_the_set() -> None:
    engine = OverallEngine()
    (verdict,) = moderate("aaaa", engine=engine, fusion=WHOLE, policies=("a",))
    assert (verdict.decision, len(engine.asked)) == ("violates", 1)
    assert verdict.score == verdict.matches[0].score


def test_a_policys_own_threshold_decides_for_itself() -> None:
    strict = tuple(p.model_copy(update={"threshold": 0.9}) for p in POLICIES.policies)
    own = POLICIES.model_copy(update={"policies": strict})
    (loose,) = moderate("x !!!!!", engine=OverallEngine(), fusion=WHOLE, policy_set=own)
    assert loose.decision == "allowed", "the text's score is for policies without one"
    first = strict[0], *POLICIES.policies[1:]
    likeliest = POLICIES.model_copy(update={"policies": first})
    (mild,) = moderate("aa !!!", engine=OverallEngine(), fusion=WHOLE, policy_set=likeliest)
    assert mild.decision == "allowed", "the likeliest policy has one, and is not that sure"
    (sure,) = moderate("aaaaaa", engine=OverallEngine(), fusion=WHOLE, policy_set=own)
    assert (sure.decision, [m.policy for m in sure.matches]) == ("violates", ["a"])


def test_what_stands_behind_a_breach_does_not_weaken_it() -> None:
    a, b, c = POLICIES.policies
    strict = POLICIES.model_copy(
        update={"policies": (a, b, c.model_copy(update={"threshold": 0.99}))}
    )

    def judged(words: str) -> Verdict:
        how: dict[str, Any] = {"fusion": WHOLE, "policy_set": strict, "exhaustive": True}
        (verdict,) = moderate(words, engine=OverallEngine(), **how)
        return verdict

    short, longer = judged("b !!!"), judged("b !!! q q q q q ccc q q")
    assert (short.decision, longer.decision) == ("violates", "violates")
    assert [m.policy for m in longer.matches] == [m.policy for m in short.matches] == ["b"]
    assert longer.score == short.score and longer.coverage.windows > 1
    assert {m.policy: m.score for m in longer.judged}["c"] > short.judged[2].score


def test_of_policies_that_are_as_likely_one_without_a_threshold_goes_first() -> None:
    a, b, c = POLICIES.policies
    for changed in ((a.model_copy(update={"threshold": 0.99}), b, c), (a, b, c)):
        tied = POLICIES.model_copy(update={"policies": changed})
        (verdict,) = moderate("x !!!!!", engine=OverallEngine(), fusion=WHOLE, policy_set=tied)
        assert verdict.decision == "violates"


def test_a_threshold_of_zero_names_every_policy_that_was_judged() -> None:
    (verdict,) = moderate("x", engine=OverallEngine(), fusion=WHOLE, threshold=0.0, exhaustive=True)
    assert sorted(m.policy for m in verdict.matches) == list(IDS)
