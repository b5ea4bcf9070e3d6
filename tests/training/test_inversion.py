"""Inverted policies: cases change sides, words vary, nothing is lost."""

import numpy as np

from training.inversion import inverted
from wraner.packs import Policy

POLICY = Policy(
    id="dirt",
    title="Dirt",
    definition="Calls people dirt.",
    includes=("dirty people",),
    excludes=("dirty floors",),
)


def test_cases_change_sides_and_the_definition_stays_readable() -> None:
    seen = [inverted(np.random.default_rng(seed), POLICY) for seed in range(40)]
    assert len({policy.definition for policy in seen}) == 4
    for policy in seen:
        assert (policy.id, policy.includes, policy.excludes) == (
            "dirt",
            ("dirty floors",),
            ("dirty people",),
        )
        assert "Calls people dirt." in policy.definition and policy.definition != POLICY.definition


def test_a_title_stays_within_what_a_pack_allows() -> None:
    long = POLICY.model_copy(update={"title": "x" * 100})
    for seed in range(20):
        turned = inverted(np.random.default_rng(seed), long)
        Policy.model_validate(turned.model_dump())
