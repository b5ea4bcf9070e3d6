"""The near pairs: how they are counted, and that none of them is taught or an example."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import near_pairs
from benchmarks.near_pairs import Judged, NearPair, read_pairs, table
from benchmarks.plain_speech import read_sentences
from training.communities import shipped_communities
from training.moderation_rows import same_text
from wraner.pack_folders import read_examples, read_pack_folder
from wraner.packs import JudgedExample, Policy, PolicySet
from wraner.policies import Coverage, Decision, PolicyMatch, Verdict
from wraner.retrieval import Evidence, JudgedNeighbour, PackRef, PolicyEvidence

ROOT = Path(__file__).parents[2]


def verdict(decision: Decision, score: float, policy: str = "x") -> Verdict:
    match = PolicyMatch(policy, "X", 1, score, (), ())
    matches = () if decision == "allowed" else (match,)
    return Verdict(decision, score, True, matches, Coverage(9, 1, False), (match,), 0, "g")


def test_pairs_are_counted_by_what_is_told_apart() -> None:
    pair = NearPair(violates=("x",), breaching="bad", harmless="good")
    judged = [
        Judged(pair, verdict("violates", 0.9), verdict("allowed", 0.2), (0.3, 0.1)),
        Judged(pair, verdict("violates", 0.6, "y"), verdict("violates", 0.7), (0.1, 0.2)),
        Judged(pair, verdict("allowed", 0.3), verdict("review", 0.45), (0.1, 0.1)),
    ]
    assert table(judged).splitlines() == [
        "| by | AUROC | the attack scores higher |",
        "|---|---|---|",
        "| as served | 0.667 | 0.333 of 3 |",
        "| the index | 0.556 | 0.333 of 3 |",
        "",
        "| texts | violates | review | allowed |",
        "|---|---|---|---|",
        "| 3 breaching | 2 | 0 | 1 |",
        "| 3 harmless | 1 | 1 | 1 |",
        "",
        "both right 0.333 of 3, a right policy first 0.500 of 2",
    ]


class Near:
    """Finds texts with a mark nearer to a breach."""

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        return [Evidence((self._of(0.0), self._of(float("!" in text))), "g") for text in texts]

    def _of(self, similarity: float) -> PolicyEvidence:
        example = JudgedExample(text="t", violates=("x",))
        return PolicyEvidence("x", (JudgedNeighbour(example, similarity),), (), 0.5, ())

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[object]:
        raise NotImplementedError


class Shouted:
    retriever = Near()

    async def ask(self, pack: PolicySet, text: str) -> Verdict:
        return verdict("violates", 0.8) if "!" in text else verdict("allowed", 0.1)


def test_both_texts_of_a_pair_are_asked_about() -> None:
    pairs = [NearPair(violates=("x",), breaching="bad!", harmless="good")]
    rules = PolicySet(policies=(Policy(id="x", title="X", definition="Says x."),))
    asking = near_pairs.ask(Shouted(), rules, pairs)  # type: ignore[arg-type]
    (judged,) = asyncio.run(asking)
    assert judged.breaching.flagged and not judged.harmless.flagged
    assert judged.nearness == (0.5, -0.5)


def test_pairs_are_of_every_policy_and_none_is_taught_or_measured_with_elsewhere() -> None:
    pack = read_pack_folder(ROOT / "packs" / "hate-speech")
    assert isinstance(pack, PolicySet)
    pairs = read_pairs()
    assert len(pairs) == 1229 and {p.violates[0] for p in pairs} == {p.id for p in pack.policies}
    assert all(set(p.violates) <= {x.id for x in pack.policies} for p in pairs)
    texts = [same_text(t) for p in pairs for t in (p.breaching, p.harmless)]
    assert len(set(texts)) == len(texts)
    files = [ROOT / "training" / f"{name}near_misses.jsonl" for name in ("", "more_")]
    taught = [*pack.examples, *(e for file in files for e in read_examples(file, pack))]
    others = {same_text(e.text) for e in taught} | {same_text(t) for t, _ in read_sentences()}
    others |= {same_text(text) for text in shipped_communities().texts}
    assert not others.intersection(texts)


@pytest.mark.parametrize("count", [2, 5000])
def test_so_many_pairs_are_the_same_ones_each_time(count: int) -> None:
    assert read_pairs(count) == read_pairs(count) and len(read_pairs(count)) == min(count, 1229)
