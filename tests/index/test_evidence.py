"""Evidence in a segment of which only some examples are compared by words, and ties in nearness."""

import gc
import weakref
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from index.encoder import WordVectors
from index.encoders import Encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from wraner.packs import Domain, EntityType, JudgedExample, Policy, PolicySet, TaggedExample
from wraner.retrieval import Evidence, PackRef, PolicyEvidence

FEW = IndexSettings(kind="ivf_sq8", evidence_candidates=32, probe_matches=32)
COMMON, RARE = (Policy(id=i, title=i, definition=f"No {i}.") for i in ("bread", "herring"))
BAKERY = PolicySet(
    policies=(COMMON, RARE),
    examples=(
        *(JudgedExample(id=f"k{n}", text=f"fresh loaf {n}", complies="all") for n in range(60)),
        *(JudgedExample(id=f"b{n}", text=f"bad loaf {n}", violates=("bread",)) for n in range(20)),
        *(JudgedExample(id=f"h{n}", text=f"smelly fish{n}", violates=("herring",)) for n in (1, 2)),
    ),
)


class Other:
    """An encoder as another, but for what is changed of its vectors or of the texts it reads."""

    def __init__(
        self,
        encoder: Any,
        change: Callable[[WordVectors], WordVectors] = lambda vectors: vectors,
        reads: Callable[[str], str] = str,
    ) -> None:
        self.identity, self.dimension = encoder.identity, encoder.dimension
        self._encoder, self._change, self._reads = encoder, change, reads

    def encode(self, texts: Sequence[str]) -> list[WordVectors]:
        return [self._change(v) for v in self._encoder.encode([*map(self._reads, texts)])]


def evidence_on(
    encoder: Any, text: str, pack: PolicySet, settings: IndexSettings, k: int = 2
) -> tuple[Evidence, dict[str, PolicyEvidence]]:
    retriever = LocalRetriever(Encoders.same(encoder), settings)
    (found,) = retriever.evidence_now(PackRef("", inline=pack), [text], k)
    return found, {p.policy: p for p in found.policies}


def test_by_texts_all_examples_of_a_large_segment_are_compared(make_encoder: Any) -> None:
    text = "fresh loaf"
    whole, exact = evidence_on(make_encoder(64), text, BAKERY, IndexSettings())
    large, found = evidence_on(make_encoder(64), text, BAKERY, FEW)
    assert len(exact["herring"].violating) == 2
    assert large.leaning == whole.leaning
    for policy in ("bread", "herring"):
        of, expected = found[policy], exact[policy]
        assert of == replace(expected, word_leaning=of.word_leaning)
    assert found["herring"].word_leaning < -1, "none of its examples is a candidate"


def test_kernels_of_very_many_examples_sum_to_the_same(
    make_encoder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = evidence_on(make_encoder(64), "fresh loaf", BAKERY, FEW)
    monkeypatch.setattr("index.likeness._MANY", 4)
    summed, _ = evidence_on(make_encoder(64), "fresh loaf", BAKERY, FEW)
    for of, expected in zip(summed.policies, whole.policies, strict=True):
        assert of.leaning == pytest.approx(expected.leaning, rel=1e-9)
        assert of.word_leaning == pytest.approx(expected.word_leaning, rel=1e-9)


def test_by_words_what_is_not_compared_lies_farther_than_what_is(make_encoder: Any) -> None:
    nothing = np.zeros(0, np.float32)
    encoder = Other(make_encoder(64), lambda vectors: replace(vectors, text=nothing))
    _, found = evidence_on(encoder, "fresh loaf", BAKERY, FEW)
    assert not found["herring"].violating and found["herring"].complying
    assert found["herring"].leaning == found["herring"].word_leaning < -1
    _, blank = evidence_on(encoder, " ", BAKERY, FEW)
    assert blank["herring"].leaning == 0.0, "nothing is compared"


def test_evidence_words_match_in_examples_that_single_words_do_not_propose(
    make_encoder: Any,
) -> None:
    text = "fresh loaf 7, a loaf 8, fish1"
    _, exact = evidence_on(make_encoder(64), text, BAKERY, IndexSettings())
    _, found = evidence_on(make_encoder(64), text, BAKERY, FEW)
    assert [text[s.start : s.end] for s in exact["herring"].spans] == ["fish1"]
    assert found["herring"].spans == exact["herring"].spans


@pytest.mark.parametrize("side", [{"violates": ("bread",)}, {"complies": "all"}])
@pytest.mark.parametrize("kind", ["flat", "ivf_sq8"])
def test_of_examples_as_near_those_in_the_text_s_words_come_first(
    kind: Any, side: Any, make_encoder: Any
) -> None:
    monkeys = {"a": "🐒", "b": "🦍", "c": "🐵"}
    texts = {name: f"I love them {monkey}" for name, monkey in monkeys.items()}
    pack = PolicySet(
        policies=(COMMON,),
        examples=tuple(JudgedExample(id=i, text=text, **side) for i, text in texts.items()),
    )
    encoder = Other(make_encoder(), reads=lambda text: text.encode("ascii", "replace").decode())
    for name, expected in (("a", "ab"), ("b", "ba"), ("c", "ca")):
        for text in (texts[name], texts[name].upper() + "!"):
            _, found = evidence_on(encoder, text, pack, IndexSettings(kind=kind))
            near = found["bread"].violating or found["bread"].complying
            assert "".join(n.example.id for n in near) == expected


def test_an_example_in_the_text_s_words_is_found_where_others_lie_nearer(make_encoder: Any) -> None:
    texts = {"a": "loaf!!!! a", "b": "loaf!!!! ab", "c": "loaf"}
    pack = PolicySet(
        policies=(COMMON,),
        examples=tuple(
            JudgedExample(id=i, text=text, violates=("bread",)) for i, text in texts.items()
        ),
    )
    near, found = (
        [
            n.example.id
            for n in evidence_on(make_encoder(64), text, pack, IndexSettings())[1][
                "bread"
            ].violating
        ]
        for text in ("loaf!!!! abc", "Loaf!!!!")
    )
    assert "c" not in near
    assert found[0] in "ab" and found[1] == "c", "nearest first all the same"


def test_what_was_read_of_an_inline_pack_leaves_with_it(make_encoder: Any) -> None:
    retriever = LocalRetriever(Encoders.same(make_encoder()), IndexSettings(), memory_bytes=0)
    domain = Domain(
        entity_types=(EntityType(name="loaf"),), examples=(TaggedExample(text="a loaf"),)
    )
    (judged,) = retriever.evidence_now(PackRef("", inline=BAKERY), ["loaf"], 1)
    (tagged,) = retriever.neighbours_now(PackRef("", inline=domain), ["loaf"], 1)
    read = [weakref.ref(n.example) for n in (*judged.policies[0].examples, *tagged.neighbours)]
    del judged, tagged
    gc.collect()
    assert len(read) == 3 and not any(example() for example in read)
