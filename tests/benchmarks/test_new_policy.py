"""Ranking texts of a policy that was never taught, on made-up vectors."""

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.new_policy import DRAWS, WAYS, Judge, Subject, areas, found_by
from training.hatemoderate import CollectedText
from wraner.fusion import Fusion
from wraner.packs import Policy, PolicySet
from wraner.prompts import Prompt
from wraner.retrieval import Evidence, JudgedNeighbour, Neighbours, PackRef, PolicyEvidence

POLICY = Policy(id="filth", title="Filth", definition="Calls people dirt.")
SUBJECT = Subject(
    POLICY,
    tuple(f"breach {n}" for n in range(6)),
    tuple(
        CollectedText(f"{'breach' if n % 2 else 'fine'} {n}", bool(n % 2), ("filth",), "")
        for n in range(20)
    ),
)


def told_apart(texts: Sequence[str]) -> np.ndarray:
    """Breaches and the policy's words point one way, other texts another; all differ a little."""
    rows = []
    for text in texts:
        draw = np.random.default_rng(sum(map(ord, text))).normal(size=6) * 0.1
        draw[0 if "breach" in text or "dirt" in text else 1] += 1
        rows.append(draw / np.linalg.norm(draw))
    return np.array(rows)


def alike(texts: Sequence[str]) -> np.ndarray:
    return np.tile(np.eye(6)[0], (len(texts), 1))


def test_every_way_ranks_what_the_vectors_tell_apart() -> None:
    found = areas(told_apart, [SUBJECT], [f"fine {n}" for n in range(40, 60)])
    assert {name: min(values) for name, values in found.items()} == dict.fromkeys(WAYS, 1.0)


def test_no_way_ranks_what_the_vectors_do_not_tell_apart() -> None:
    found = areas(alike, [SUBJECT], ["fine 40", "fine 41"])
    assert all(value == pytest.approx(0.5) for values in found.values() for value in values)


def loudly(prompts: Sequence[Prompt]) -> list[float]:
    """Answer right, by the policy's words alone for nine in ten texts."""
    assert all("Calls people dirt" in p.instruction for p in prompts)
    return [
        ("breach" in p.text) * 2.0 - (p.text == "breach 5" and not p.examples) * 4 for p in prompts
    ]


class Seeing:
    """Leans towards a breach where it sees one; checks that three texts a policy are shown."""

    def __init__(self, *, sees: bool = True) -> None:
        self.sees = sees

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        raise NotImplementedError

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        assert isinstance(pack.inline, PolicySet)
        shown = [e.text for e in pack.inline.examples if e.violates == ("filth",)]
        assert len(shown) == 3 and set(shown) <= set(SUBJECT.breaching)
        assert {e.text for e in pack.inline.examples if e.complies == "all"} == set(CLEAN)
        near = (JudgedNeighbour(pack.inline.examples[0], 0.9),)
        return [
            Evidence(
                (
                    PolicyEvidence("other", (), (), 0.0, ()),
                    PolicyEvidence(
                        "filth", near, (), 0.0, (), leaning=4.0 * (self.sees and "breach" in text)
                    ),
                ),
                "g",
            )
            for text in texts
        ]


CLEAN = [f"fine {n}" for n in range(40, 60)]
WORDS, SERVED = "the judge, by the policy's words alone", "the judge, questions as served"
WORDS_FUSED, FUSED = "that and the index", "that and the index, as served"


def ranked(fusion: Fusion, *, sees: bool = True) -> dict[str, list[float]]:
    served = found_by(Seeing(sees=sees), [SUBJECT], CLEAN)
    return areas(told_apart, [SUBJECT], CLEAN, Judge(loudly, fusion), served)


def test_a_judge_is_ranked_alone_and_fused_with_what_the_index_finds() -> None:
    fusion = Fusion(judge=1.0, margin=0.0, bias=-3.0, leaning=1.0)
    found = ranked(fusion)
    assert found[WORDS] == pytest.approx([0.9])
    assert found[SERVED] == pytest.approx([0.9] * DRAWS)
    assert found[FUSED] == found[WORDS_FUSED] == [1.0] * DRAWS
    assert ranked(fusion, sees=False)[FUSED] == pytest.approx([0.9] * DRAWS)


def test_questions_show_what_is_served() -> None:
    fusion = Fusion(judge=1.0, margin=0.0, bias=0.0, examples_shown=1)
    found = ranked(fusion)
    assert found[WORDS] == pytest.approx([0.9])
    assert found[WORDS_FUSED] == pytest.approx([0.9] * DRAWS)
    assert found[SERVED] == found[FUSED] == [1.0] * DRAWS
