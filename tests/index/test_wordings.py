"""How near texts lie to what policies say, and of which kind policies are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.encoder import Floats
from index.encoders import Encoders
from index.local import LocalRetriever
from index.settings import IndexSettings
from index.similarity import from_grid, to_grid
from index.store import GenerationStore
from index.wordings import HOME, PolicyReader, home_of, own_words, read_home, write_home
from wraner.errors import Unavailable
from wraner.fusion import KIN
from wraner.packs import Policy, PolicySet, version
from wraner.retrieval import PackRef, PolicyEvidence

SETTINGS = IndexSettings()
EEL = Policy(id="eel", title="No eel", definition="Eel is slippery.")
COD = Policy(
    id="cod",
    title="No cod",
    definition="Cod is unwelcome.",
    includes=("smelly cod", "a pie"),
    excludes=("codpieces",),
)
BREAD = Policy(id="bread", title="Bakeries", definition="Sells rolls")
FISH = PolicySet(policies=(COD, EEL))
TEXTS = ("a pie with smelly fish", "Eel is slippery", "codpieces")


class Sentences:
    """A text's vector by a fake encoder of words; counts the texts."""

    identity = "sentences"

    def __init__(self, words: Any) -> None:
        self._words, self.read = words, [""][:0]

    def sentences(self, texts: Sequence[str]) -> Floats:
        self.read += texts
        vectors = [w.text for w in self._words.encode(texts)]
        return np.array(vectors, np.float32).reshape(len(texts), self._words.dimension)


@pytest.fixture
def sentences(make_encoder: Any) -> Sentences:
    return Sentences(make_encoder())


def by_hand(sentences: Sentences, text: str, words: str) -> float:
    one, other = from_grid(to_grid(sentences.sentences([text, words])))
    return float(one @ other)


def evidence(retriever: LocalRetriever, pack: PackRef, text: str) -> dict[str, PolicyEvidence]:
    (found,) = retriever.evidence_now(pack, [text], 1)
    return {e.policy: e for e in found.policies}


def test_a_text_is_compared_with_all_that_is_a_breach_and_with_the_nearest_case(
    sentences: Sentences, make_encoder: Any, tmp_path: Path
) -> None:
    home = home_of([EEL], sentences)
    words = make_encoder()
    encoders = Encoders(words, words, PolicyReader(sentences, home))
    pack = PolicySet(policies=(*FISH.policies, BREAD))
    GenerationStore(tmp_path, encoders, SETTINGS).build(pack)
    stored = LocalRetriever(encoders, SETTINGS, tmp_path)
    for text in TEXTS:
        found = evidence(stored, PackRef(version(pack)), text)
        assert found == evidence(stored, PackRef("", inline=pack), text)
        for policy in pack.policies:
            e = found[policy.id]
            assert e.wording == pytest.approx(by_hand(sentences, text, own_words(policy)))
            cases = [by_hand(sentences, text, case) for case in policy.includes] or [e.wording]
            assert e.case == pytest.approx(max(cases))
            own = from_grid(to_grid(sentences.sentences([own_words(policy)])))[0]
            assert e.kin == pytest.approx(float(own @ home))
        assert found["eel"].kin == pytest.approx(1.0, abs=1e-2) and found["cod"].kin < 0.9
        assert found["bread"].kin < KIN


def test_policies_of_another_kind_are_ordered_by_what_they_say_too(
    sentences: Sentences, make_encoder: Any
) -> None:
    text, words = "slippery smelly cod", make_encoder()

    def order(home: Floats) -> list[PolicyEvidence]:
        encoders = Encoders(words, words, PolicyReader(sentences, home))
        (found,) = LocalRetriever(encoders, SETTINGS).evidence_now(
            PackRef("", inline=FISH), [text], 1
        )
        return list(found.policies)

    def said(found: PolicyEvidence) -> float:
        return found.definition + found.wording + found.case

    far = order(-home_of(FISH.policies, sentences))
    assert max(e.kin for e in far) < KIN
    assert [e.policy for e in far] == [e.policy for e in sorted(far, key=said, reverse=True)]
    near = order(home_of([EEL], sentences))
    assert max(e.kin for e in near) > KIN
    brief = sorted(near, key=lambda e: e.definition, reverse=True)
    assert [e.policy for e in near] == [e.policy for e in brief] != [e.policy for e in far]


def test_what_is_excluded_is_no_breach() -> None:
    assert own_words(COD) == "No cod\nCod is unwelcome.\nsmelly cod\na pie"


def test_an_allow_list_names_what_it_excludes_from_breaches(
    sentences: Sentences, make_encoder: Any
) -> None:
    only = COD.model_copy(update={"definition": "Anything but cod."})
    assert own_words(only) == "No cod\nAnything but cod.\ncodpieces"
    words, home = make_encoder(), home_of(FISH.policies, sentences)
    retriever = LocalRetriever(Encoders(words, words, PolicyReader(sentences, home)), SETTINGS)
    pack = FISH.model_copy(update={"policies": (only, EEL)})
    found = evidence(retriever, PackRef("", inline=pack), TEXTS[2])
    assert found["cod"].kin == -1.0 and found["eel"].kin >= KIN
    assert found["cod"].wording == pytest.approx(by_hand(sentences, TEXTS[2], own_words(only)))
    assert found["cod"].case == pytest.approx(by_hand(sentences, TEXTS[2], "codpieces"))


def test_words_that_stay_are_not_read_again(sentences: Sentences) -> None:
    reader = PolicyReader(sentences)
    first = reader.segment(FISH, SETTINGS)
    assert len(sentences.read) == 4
    assert reader.segment(FISH, SETTINGS, first) is first and len(sentences.read) == 4
    changed = COD.model_copy(update={"includes": ("a pie", "smelly cod")})
    second = reader.segment(PolicySet(policies=(EEL, changed, BREAD)), SETTINGS, first)
    fresh = reader.segment(PolicySet(policies=(EEL, changed, BREAD)), SETTINGS)
    assert second.name == fresh.name and np.array_equal(second.texts, fresh.texts)
    assert sentences.read[4:8] == [own_words(changed), "a pie", "smelly cod", own_words(BREAD)]
    assert reader.segment(PolicySet(policies=(EEL,)), SETTINGS, fresh).entries == first.entries[3:]
    other = FISH.model_copy(update={"policies": (COD, EEL.model_copy(update={"title": "Eel"}))})
    assert reader.segment(other, SETTINGS, first).name != first.name


def test_texts_are_not_read_where_every_policy_is_of_the_tuning_s_kind(
    sentences: Sentences, make_encoder: Any
) -> None:
    words = make_encoder()
    home = home_of(FISH.policies, sentences)
    retriever = LocalRetriever(Encoders(words, words, PolicyReader(sentences, home)), SETTINGS)
    sentences.read.clear()
    found = evidence(retriever, PackRef("", inline=FISH), TEXTS[0])
    assert all(e.kin >= KIN and (e.wording, e.case) == (0.0, 0.0) for e in found.values())
    assert TEXTS[0] not in sentences.read and sentences.read


def test_without_a_home_all_policies_are_of_its_kind(sentences: Sentences) -> None:
    reader = PolicyReader(sentences)
    (near,) = reader.nearness(reader.segment(FISH, SETTINGS), ["eel"], ["x"])
    assert near["eel"].kin == 1.0


def test_another_encoder_of_wordings_makes_another_generation(
    sentences: Sentences, make_encoder: Any, tmp_path: Path
) -> None:
    words = make_encoder()
    store = GenerationStore(tmp_path, Encoders(words, words, PolicyReader(sentences)), SETTINGS)
    store.build(FISH)
    assert store.has(version(FISH))
    assert not GenerationStore(tmp_path, Encoders.same(words), SETTINGS).has(version(FISH))


def test_a_home_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert read_home(tmp_path, 2) is None
    write_home(np.array([0.25, -0.5], np.float32), tmp_path)
    found = read_home(tmp_path, 2)
    assert found is not None and found.tolist() == [0.25, -0.5]


@pytest.mark.parametrize(
    "content", ["[1.0", "[1.0, 0.0, 0.0]", '{"a": 1}', '["a", "b"]', "[[1, 2]]"]
)
def test_a_damaged_home_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / HOME).write_text(content)
    with pytest.raises(Unavailable, match=r"a list of 2 numbers in .*home\.json, was: .*restore"):
        read_home(tmp_path, 2)
