"""Which weights score a policy and a whole text: by taught words, and by the number of examples."""

import pytest

from wraner.fusion import FEW_EXAMPLES, Fusion, wordings
from wraner.packs import Policy

FILTH = Policy(id="filth", title="Filth", definition="Calls people dirt.")
EXPEL = Policy(id="expel", title="Expel", definition="Wants people gone.")
SPOILERS = Policy(id="filth", title="Spoilers", definition="Tells how a book ends.")
UNTAUGHT = Fusion(judge=0.1, margin=3.0, bias=0.0)
FEW = Fusion(judge=0.5, margin=2.0, bias=0.0)
FUSION = Fusion(
    judge=1.0, margin=1.0, bias=0.0, few=FEW, taught=wordings([FILTH, EXPEL]), untaught=UNTAUGHT
)


def test_a_policy_is_known_by_its_words_and_not_by_its_id() -> None:
    assert FUSION.of_policy(FILTH, FEW_EXAMPLES) is FUSION
    assert FUSION.of_policy(FILTH, FEW_EXAMPLES - 1) is FEW
    assert FUSION.of_policy(SPOILERS, FEW_EXAMPLES) is UNTAUGHT
    assert FUSION.of_policy(SPOILERS, 0) is UNTAUGHT


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
    assert FUSION.of_policy(FILTH.model_copy(update=changed), 0) is FEW


def test_most_policies_decide_how_a_text_is_scored() -> None:
    assert FUSION.of_set([FILTH, SPOILERS], FEW_EXAMPLES) is FUSION
    assert FUSION.of_set([FILTH, SPOILERS], 0) is FEW
    assert FUSION.of_set([FILTH, SPOILERS, SPOILERS], FEW_EXAMPLES) is UNTAUGHT


def test_where_nothing_was_fitted_for_others_all_are_scored_alike() -> None:
    plain = Fusion(judge=1.0, margin=1.0, bias=0.0)
    assert plain.of_policy(SPOILERS, 0) is plain and plain.of_set([SPOILERS], 0) is plain


def test_wordings_name_titles_and_definitions_without_saying_them() -> None:
    names = wordings([FILTH, FILTH.model_copy(update={"definition": ""})])
    assert len(names) == 2 and all(len(name) == 12 for name in names)
    assert not any("ilth" in name for name in names)
