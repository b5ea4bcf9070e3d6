"""Which weights score a policy and a whole text: by taught words, and by the number of examples."""

import math
from dataclasses import replace

import pytest

from wraner.fusion import FEW_EXAMPLES, KIN, Fusion, Judged, VerdictFusion, wordings
from wraner.packs import JudgedExample, Policy
from wraner.retrieval import Evidence, JudgedNeighbour, PolicyEvidence

FILTH = Policy(id="filth", title="Filth", definition="Calls people dirt.")
EXPEL = Policy(id="expel", title="Expel", definition="Wants people gone.")
SPOILERS = Policy(id="filth", title="Spoilers", definition="Tells how a book ends.")
BARE = Fusion(judge=0.7, margin=0.0, bias=0.0)
UNTAUGHT = Fusion(judge=0.1, margin=3.0, bias=0.0, bare=BARE)
FEW = Fusion(judge=0.5, margin=2.0, bias=0.0)
FUSION = Fusion(
    judge=1.0, margin=1.0, bias=0.0, few=FEW, taught=wordings([FILTH, EXPEL]), untaught=UNTAUGHT
)
BREACH = JudgedNeighbour(JudgedExample(text="t", violates=("filth",)), 0.5)
SHOWN = PolicyEvidence("filth", (BREACH,), (), 0.2, ())
NOT_SHOWN = PolicyEvidence("filth", (), (BREACH,), 0.2, ())


def text_score(
    fusion: Fusion, overall: float | None, found: Evidence, judged: list[Judged]
) -> float:
    return max(fusion.text_scores(overall, found, judged), default=0.0)


def test_a_policy_is_known_by_its_words_and_not_by_its_id() -> None:
    assert FUSION.of_policy(FILTH, SHOWN, FEW_EXAMPLES) is FUSION
    assert FUSION.of_policy(FILTH, SHOWN, FEW_EXAMPLES - 1) is FEW
    assert FUSION.of_policy(SPOILERS, SHOWN, FEW_EXAMPLES) is UNTAUGHT
    assert FUSION.of_policy(SPOILERS, SHOWN, 0) is UNTAUGHT


@pytest.mark.parametrize(
    "changed",
    [
        {"title": "Rule 7"},
        {"definition": "Says that people are dirt."},
        {"title": " FILTH ", "definition": "Other."},
        {"includes": ("mud",), "id": "other"},
    ],
)
def test_a_title_or_a_definition_is_enough_to_be_known(changed: dict[str, object]) -> None:
    assert FUSION.of_policy(FILTH.model_copy(update=changed), NOT_SHOWN, 0) is FEW


def test_where_no_example_shows_a_breach_words_alone_are_scored() -> None:
    assert FUSION.of_policy(SPOILERS, NOT_SHOWN, 7) is BARE
    alike = FUSION.model_copy(update={"untaught": BARE})
    assert alike.of_policy(SPOILERS, NOT_SHOWN, 7) is BARE


def test_policies_of_another_kind_have_weights_of_their_own() -> None:
    foreign = Fusion(judge=0.0, margin=1.0, bias=0.0, wording=2.0, case=1.0, bare=BARE)
    untaught = UNTAUGHT.model_copy(update={"foreign": foreign})
    fusion = FUSION.model_copy(update={"untaught": untaught})
    far = replace(SHOWN, kin=KIN - 0.01, wording=0.5, case=0.25)
    assert fusion.of_policy(SPOILERS, far, 0) is foreign
    assert fusion.of_policy(SPOILERS, replace(far, violating=()), 0) is BARE
    assert fusion.of_policy(SPOILERS, replace(far, kin=KIN), 0) is untaught
    assert fusion.of_policy(FILTH, far, 0) is FEW, "a taught one is of its kind whatever it says"
    lead = 0.5 - far.definition
    assert foreign.score(9.0, far) == pytest.approx(1 / (1 + math.exp(-(lead + 1.25))))


def test_allow_lists_have_weights_of_their_own_whatever_their_title() -> None:
    own = Fusion(judge=0.0, margin=-1.0, bias=0.0, bare=BARE)
    fusion = FUSION.model_copy(update={"untaught": UNTAUGHT.model_copy(update={"allow_list": own})})
    only = FILTH.model_copy(update={"definition": "Anything but insults."})
    assert fusion.of_policy(only, SHOWN, 0) is own and not fusion.knows(only)
    assert fusion.of_policy(only, NOT_SHOWN, 0) is BARE
    assert FUSION.of_policy(only, SHOWN, 0) is UNTAUGHT, "those of before, where none were fitted"


def test_where_nothing_was_fitted_for_others_all_are_scored_alike() -> None:
    plain = Fusion(judge=1.0, margin=1.0, bias=0.0)
    assert plain.of_policy(SPOILERS, SHOWN, 0) is plain and plain.knows(SPOILERS)


def verdict(overall: float, strongest: float, bias: float = 0.0) -> VerdictFusion:
    return VerdictFusion(overall=overall, leaning=0.0, strongest=strongest, bias=bias)


WHOLE = FUSION.model_copy(
    update={
        "few": None,
        "verdict": verdict(1.0, 0.0),
        "untaught": UNTAUGHT.model_copy(
            update={
                "verdict": verdict(0.0, 1.0),
                "bare": BARE.model_copy(update={"verdict": verdict(0.0, 0.0, bias=-5.0)}),
            }
        ),
    }
)
NOTHING = Evidence((), "g")


def test_a_text_is_scored_by_taught_policies_or_by_others_whichever_is_surer() -> None:
    taught, other = (FILTH, SHOWN, 0.9), (SPOILERS, SHOWN, 0.8)
    low, high = -4.0, 4.0
    assert text_score(WHOLE, low, NOTHING, [taught]) == pytest.approx(1 / (1 + math.exp(4)))
    assert text_score(WHOLE, low, NOTHING, [taught, other]) == pytest.approx(0.8)
    assert text_score(WHOLE, high, NOTHING, [taught, other]) == pytest.approx(
        1 / (1 + math.exp(-4))
    )
    assert text_score(WHOLE, None, NOTHING, [other]) == pytest.approx(0.8)
    bare = text_score(WHOLE, None, NOTHING, [(SPOILERS, NOT_SHOWN, 0.8)])
    assert bare == pytest.approx(1 / (1 + math.exp(5)))


def test_where_no_taught_policy_was_judged_the_answer_about_the_set_is_heard() -> None:
    hearing = WHOLE.model_copy(update={"verdict": verdict(1.0, 0.5, bias=-1.0)})
    assert text_score(hearing, 3.0, NOTHING, []) == pytest.approx(1 / (1 + math.exp(-2)))
    doubtful = (FILTH, SHOWN, 0.1)
    assert text_score(hearing, 3.0, NOTHING, [doubtful]) < text_score(hearing, 3.0, NOTHING, [])


def test_a_text_is_scored_kind_by_kind_by_the_surest() -> None:
    assert WHOLE.untaught is not None
    foreign = BARE.model_copy(update={"verdict": verdict(0.0, 0.0, bias=-2.0), "bare": None})
    untaught = WHOLE.untaught.model_copy(update={"foreign": foreign})
    both = WHOLE.model_copy(update={"untaught": untaught})
    near, far = (SPOILERS, SHOWN, 0.3), (SPOILERS, replace(SHOWN, kin=0.0), 0.8)
    alone = 1 / (1 + math.exp(2))
    assert text_score(both, None, NOTHING, [far]) == pytest.approx(alone)
    assert text_score(both, None, NOTHING, [near, far]) == pytest.approx(0.3)
    surer = foreign.model_copy(update={"verdict": verdict(0.0, 0.0, bias=2.0)})
    untaught = untaught.model_copy(update={"foreign": surer})
    both = WHOLE.model_copy(update={"untaught": untaught})
    assert text_score(both, None, NOTHING, [near, far]) == pytest.approx(1 - alone)


def test_a_text_without_an_answer_about_the_set_is_scored_by_the_surest_policy() -> None:
    assert text_score(WHOLE, None, NOTHING, [(FILTH, SHOWN, 0.3), (EXPEL, SHOWN, 0.6)]) == 0.6
    mixed = [(FILTH, SHOWN, 0.9), (SPOILERS, SHOWN, 0.2)]
    assert text_score(WHOLE, None, NOTHING, mixed) == 0.9, "others do not stand for taught ones"
    assert text_score(WHOLE, None, NOTHING, []) == 0.0


def test_a_set_is_asked_about_where_any_of_it_was_taught() -> None:
    assert WHOLE.asks_overall([SPOILERS, FILTH]) and not WHOLE.asks_overall([SPOILERS])
    assert not WHOLE.model_copy(update={"verdict": None}).asks_overall([FILTH])
    assert WHOLE.model_copy(update={"untaught": None}).asks_overall([SPOILERS])


def test_a_set_without_most_of_the_taught_policies_is_not_asked_about() -> None:
    many = [
        Policy(id=f"p{n}", title=f"Title {n}", definition=f"Definition {n}.") for n in range(20)
    ]
    others = [
        p.model_copy(update={"title": f"Other {p.id}", "definition": f"In other words, {p.id}."})
        for p in many
    ]
    fusion = WHOLE.model_copy(update={"taught": wordings([*many, *others])})
    assert fusion.asks_overall(many) and fusion.asks_overall([SPOILERS, *many[:18]])
    assert not fusion.asks_overall([SPOILERS, *many[:17]])


def test_wordings_name_titles_and_definitions_without_saying_them() -> None:
    names = wordings([FILTH, FILTH.model_copy(update={"definition": ""})])
    assert len(names) == 2 and all(len(name) == 12 for name in names)
    assert not any("ilth" in name for name in names)


def test_a_stored_yes_or_no_is_a_number_of_examples() -> None:
    shows = [
        Fusion.model_validate({**BARE.model_dump(), "examples_shown": x}) for x in (False, True, 2)
    ]
    assert [fusion.examples_shown for fusion in shows] == [0, 1, 2]


@pytest.mark.parametrize("a_side", [0, 1, 2])
def test_the_nearest_examples_of_either_side_stand_in_a_question(a_side: int) -> None:
    near, far, keeping = (
        JudgedNeighbour(JudgedExample(id=name, text=name, **sides), similarity)
        for name, similarity, sides in (
            ("a", 0.7, {"violates": ("filth",)}),
            ("b", 0.1, {"violates": ("filth",)}),
            ("c", 0.2, {"complies": "all"}),
        )
    )
    fusion = BARE.model_copy(update={"examples_shown": a_side})
    found = PolicyEvidence("filth", (near, far), (keeping,), 0.5, ())
    assert fusion.shown(found) == ((), (near, keeping), (near, keeping, far))[a_side]
    assert fusion.shown(PolicyEvidence("filth", (), (), 0.5, ())) == ()
