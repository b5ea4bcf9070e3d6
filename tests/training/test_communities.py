"""House rules to teach: drawn with right answers, whichever way a rule is turned."""

import numpy as np
import pytest

from tests.training.judged_towns import POLICIES
from training.communities import Communities, Strangers, shipped_communities
from training.moderation_rows import same_text
from training.policy_wordings import shipped_wordings
from training.untaught import allow_lists, house_rules
from wraner.errors import InvalidInput
from wraner.packs import JudgedExample, PolicySet

FILTH, EXPEL = (p.id for p in POLICIES)
PACK = PolicySet(
    policies=POLICIES,
    examples=(
        JudgedExample(text="You are mud.", violates=(FILTH,), complies=(EXPEL,)),
        JudgedExample(text="Mud, go away.", violates=(FILTH, EXPEL)),
        JudgedExample(text="Go away.", violates=(EXPEL,), complies=(FILTH,)),
        JudgedExample(text="Nice mud.", complies="all"),
    ),
)
FILTHY = {"You are mud.", "Mud, go away."}


def test_half_of_the_texts_breach_the_rule_and_some_of_the_others_breach_another() -> None:
    asked = Communities({"town": PACK.model_copy(update={"policies": POLICIES[:1]})}).drawn(
        np.random.default_rng(0), 8, turned_share=0.0
    )
    assert asked.policy is POLICIES[0]
    assert [breach for _, breach in asked.texts] == [True] * 4 + [False] * 4
    assert all((text in FILTHY) == breach for text, breach in asked.texts)
    assert sorted(text for text, breach in asked.texts if not breach) == [
        *["Go away."] * 2,
        *["Nice mud."] * 2,
    ]


def test_a_rule_turned_around_turns_the_answers_around() -> None:
    communities = Communities({"town": PACK.model_copy(update={"policies": POLICIES[:1]})})
    titles = set()
    for seed in range(20):
        asked = communities.drawn(np.random.default_rng(seed), 8, turned_share=1.0)
        assert all((text in FILTHY) != breach for text, breach in asked.texts)
        assert asked.policy.includes == POLICIES[0].excludes
        assert asked.policy.excludes == POLICIES[0].includes
        assert POLICIES[0].definition in asked.policy.definition
        titles.add(asked.policy.title)
    assert len(titles) > 2


def test_every_rule_is_drawn_and_a_seed_draws_the_same_again() -> None:
    draws = [
        Communities({"town": PACK}).drawn(np.random.default_rng(seed), 4, turned_share=0.5)
        for seed in (*range(10), *range(10))
    ]
    assert draws[:10] == draws[10:]
    assert len({breach.policy.id for breach in draws}) == len(POLICIES)


def test_a_text_that_is_silent_on_a_rule_is_not_asked_about_it() -> None:
    silent = JudgedExample(text="Leave.", violates=(EXPEL,))
    pack = PACK.model_copy(update={"policies": POLICIES[:1], "examples": (*PACK.examples, silent)})
    asked = Communities({"town": pack}).drawn(np.random.default_rng(0), 40, turned_share=0.0)
    assert "Leave." not in {text for text, _ in asked.texts}


def test_everyday_messages_keep_a_rule_that_does_not_say_otherwise() -> None:
    pack = PACK.model_copy(update={"policies": POLICIES[:1]})
    for may_breach in (False, True):
        known = {"town": Strangers(everyday=(FILTH,) if may_breach else ())}
        communities = Communities({"town": pack}, known, ["Hi."])
        asked = communities.drawn(
            np.random.default_rng(0), 40, turned_share=0.0, everyday_share=0.5
        )
        told = [breach for text, breach in asked.texts if text == "Hi."]
        assert bool(told) is not may_breach and not any(told)
        assert [breach for _, breach in asked.texts].count(True) == 20
    assert "Hi." in communities.texts


def test_a_rule_that_every_text_keeps_is_refused() -> None:
    pack = PACK.model_copy(update={"examples": PACK.examples[3:]})
    with pytest.raises(InvalidInput, match="texts that breach 'filth' and texts that keep it"):
        Communities({"town": pack})


@pytest.mark.parametrize("turned", [0.0, 1.0])
def test_it_is_known_on_which_side_of_a_rule_strangers_stand(turned: float) -> None:
    strangers = {"town": Strangers(keeps=(FILTH,), breaches=(EXPEL,))}
    communities = Communities({"town": PACK}, strangers)
    for seed in range(10):
        asked = communities.drawn(np.random.default_rng(seed), 4, turned_share=turned)
        assert asked.strangers is ((asked.policy.id == EXPEL) != bool(turned))
    silent = Communities({"town": PACK}).drawn(np.random.default_rng(0), 4, turned_share=turned)
    assert silent.strangers is None


@pytest.mark.parametrize(
    "strangers",
    [
        {"town": Strangers(keeps=("gone",))},
        {"elsewhere": Strangers(breaches=(FILTH,))},
        {"town": Strangers(everyday=("gone",))},
        {"town": Strangers(keeps=(FILTH,), breaches=(FILTH,))},
    ],
)
def test_strangers_keep_or_breach_rules_that_there_are(strangers: dict[str, Strangers]) -> None:
    with pytest.raises(InvalidInput, match=r"strangers either keep or breach.*/(gone|filth)$"):
        Communities({"town": PACK}, strangers)


def test_of_most_rules_that_ship_it_is_known_on_which_side_strangers_stand() -> None:
    rng = np.random.default_rng(0)
    drawn = [shipped_communities().drawn(rng, 2, turned_share=0.0).strangers for _ in range(900)]
    assert 0.5 < drawn.count(False) / 900 < 0.7 and 0.04 < drawn.count(True) / 900 < 0.1


def test_what_ships_teaches_nothing_of_what_weights_are_fitted_to() -> None:
    taught = {same_text(text) for text in shipped_communities().texts}
    fitted = {**house_rules([]), **allow_lists([])}.values()
    asked = {same_text(t.example.text) for new in fitted for t in new.texts}
    assert len(taught) == shipped_communities().data.sentences > 1000
    assert not taught & asked


def test_no_house_rule_has_the_id_of_a_policy_that_has_other_words() -> None:
    rng = np.random.default_rng(0)
    drawn = {shipped_communities().drawn(rng, 2, turned_share=0.0).policy.id for _ in range(3000)}
    assert len(drawn) > 180 and not drawn & set(shipped_wordings().others)
