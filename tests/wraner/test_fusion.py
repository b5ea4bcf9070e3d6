"""Which weights score a policy and a whole text: by taught words, and by the number of examples."""

import pytest

from wraner.fusion import FEW_EXAMPLES, Fusion, wordings
from wraner.packs import JudgedExample, Policy
from wraner.retrieval import JudgedNeighbour, PolicyEvidence

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


def test_most_policies_decide_how_a_text_is_scored() -> None:
    assert FUSION.of_set([FILTH, SPOILERS], FEW_EXAMPLES) is FUSION
    assert FUSION.of_set([FILTH, SPOILERS], 0) is FEW
    assert FUSION.of_set([FILTH, SPOILERS, SPOILERS], FEW_EXAMPLES) is UNTAUGHT


def test_where_no_example_shows_a_breach_words_alone_are_scored() -> None:
    assert FUSION.of_policy(SPOILERS, NOT_SHOWN, 7) is BARE
    assert FUSION.of_set([SPOILERS], 1) is UNTAUGHT and FUSION.of_set([SPOILERS], 0) is BARE
    alike = FUSION.model_copy(update={"untaught": BARE})
    assert alike.of_policy(SPOILERS, NOT_SHOWN, 7) is BARE


def test_where_nothing_was_fitted_for_others_all_are_scored_alike() -> None:
    plain = Fusion(judge=1.0, margin=1.0, bias=0.0)
    assert plain.of_policy(SPOILERS, SHOWN, 0) is plain and plain.of_set([SPOILERS], 0) is plain


def test_wordings_name_titles_and_definitions_without_saying_them() -> None:
    names = wordings([FILTH, FILTH.model_copy(update={"definition": ""})])
    assert len(names) == 2 and all(len(name) == 12 for name in names)
    assert not any("ilth" in name for name in names)
