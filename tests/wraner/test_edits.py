"""Edits know the same example by what it says, in whichever order it names things."""

from typing import Any

import pytest

from wraner.edits import changed_examples, said_by, with_examples
from wraner.errors import Conflict
from wraner.packs import JudgedExample, Policy, PolicySet

POLICIES = tuple(Policy(id=i, title=i, definition="d") for i in ("p", "q", "r"))


def judged(violates: str = "", complies: str = "", **own: Any) -> JudgedExample:
    return JudgedExample(text="t", violates=tuple(violates), complies=tuple(complies), **own)


@pytest.mark.parametrize("own", [{}, {"id": "own"}])
@pytest.mark.parametrize(
    ("first", "again"), [(("pq", "r"), ("qp", "r")), (("r", "pq"), ("r", "qp"))]
)
def test_policies_in_another_order_are_the_same_example(first: Any, again: Any, own: Any) -> None:
    pack = PolicySet(policies=POLICIES, examples=(judged(*first, **own),))
    same = judged(*again, **own)
    assert with_examples(pack, [same]) is pack
    assert changed_examples(pack, pack.model_copy(update={"examples": (same,)})) == 0


def test_what_is_said_of_other_policies_is_another_example() -> None:
    every = JudgedExample(text="t", complies="all")
    assert len({said_by(e) for e in (judged("pq"), judged("p"), judged("p", "q"), every)}) == 4
    pack = PolicySet(policies=POLICIES, examples=(judged("pq", id="own"),))
    with pytest.raises(Conflict):
        with_examples(pack, [judged("p", "q", id="own")])
