"""Even draws: pairs of one policy, a breach first; policies with one side alone are not drawn."""

from collections import Counter

import numpy as np

from training.even_draws import EvenDraws
from training.judged_texts import TaughtText
from wraner.packs import JudgedExample


def taught(policy: str, breaches: bool, weight: float = 1.0) -> TaughtText:
    violates = (policy,) if breaches else ()
    example = JudgedExample(text=f"{policy} {breaches} {weight}", violates=violates, complies=())
    return TaughtText(example, (policy,), weight)


def counted(texts: list[TaughtText]) -> Counter[tuple[int, int]]:
    return Counter(EvenDraws(texts).pairs(np.random.default_rng(0), 900))


def test_pairs_are_a_breach_and_a_harmless_text_of_one_policy() -> None:
    texts = [taught("a", True), taught("a", False), taught("b", False), taught("b", True)]
    assert set(counted(texts)) == {(0, 1), (3, 2)}


def test_a_policy_is_drawn_by_the_geometric_mean_of_its_sides() -> None:
    many = [taught("a", True)] * 16 + [taught("a", False)]
    few = [taught("b", True), taught("b", False)]
    pairs = counted([*many, *few])
    share = pairs[(17, 18)] / 900
    assert abs(share - 1 / 5) < 0.05


def test_weights_count_within_a_side() -> None:
    pairs = counted([taught("a", True, 3.0), taught("a", True), taught("a", False)])
    assert abs(pairs[(0, 2)] / 900 - 0.75) < 0.05


def test_a_policy_with_one_side_alone_is_not_drawn() -> None:
    assert counted([taught("a", True), taught("b", False)]) == Counter()
