"""Words shown as evidence, on made-up vectors and by an encoder that tells what moves a text."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from index.contextual import ContextualEncoder
from index.encoder import Floats, WordVectors
from index.encoders import Encoders, load_encoders
from index.evidence import strength_of
from index.evidence_words import joined, matched, moved, spans
from index.generations import in_brief
from index.local import LocalRetriever
from index.settings import IndexSettings
from index.similarity import Words, from_grid, to_grid, words_that_count
from wraner.chunks import chunk
from wraner.entities import Span
from wraner.packs import JudgedExample, Policy, PolicySet
from wraner.retrieval import PackRef

ROOT = Path(__file__).parents[2]
SETTINGS = IndexSettings(kind="flat")
SMELLY = "The smelly kippers ruined breakfast."
FISH = PolicySet(
    description="Fish.",
    policies=(
        Policy(id="herring", title="Herring", definition="Speaks of herring."),
        Policy(id="cod", title="Cod", definition="Speaks of cod."),
    ),
    examples=(
        JudgedExample(id="1", text="smelly kippers", violates=("herring",)),
        JudgedExample(id="2", text="rotten haddock", violates=("cod",)),
        JudgedExample(id="3", text="fresh bread", complies="all"),
    ),
)


class Moving:
    """Adds to an encoder whose texts are means of their words how far each moves its text."""

    def __init__(self, encoder: Any) -> None:
        self.identity, self.dimension = encoder.identity, encoder.dimension
        self._encoder = encoder

    def encode(self, texts: Sequence[str]) -> list[WordVectors]:
        return [replace(v, pulls=_pulls(v.vectors)) for v in self._encoder.encode(texts)]


def _pulls(vectors: Floats) -> Floats:
    if not len(vectors):
        return vectors
    mean = vectors.mean(axis=0)
    return (vectors - mean) / (len(vectors) * np.linalg.norm(mean))


def query_of(text: str, **weights: float) -> tuple[WordVectors, Words]:
    """A text on made-up vectors whose words are all asked about, of weight 1 unless told."""
    chunks = chunk(text)
    places = np.arange(len(chunks))
    weight = np.array([weights.get(c.text, 1.0) for c in chunks], np.float32)
    vectors = np.zeros((len(chunks), 2), np.float32)
    words = Words(to_grid(vectors), weight, places, to_grid(vectors[0]))
    return WordVectors(chunks, vectors), words


def shown(text: str, strength: Sequence[float], **weights: float) -> list[str]:
    vectors, words = query_of(text, **weights)
    found = spans(vectors, words, np.array(strength, np.float32))
    return [text[s.start : s.end] for s in found]


def test_the_strongest_words_are_shown_neighbours_together() -> None:
    assert shown("a b c d", [1, 0.9, 0.1, 0.6]) == ["a b", "d"]


def test_words_below_half_of_the_strongest_are_not_shown() -> None:
    assert shown("a b c", [1, 0.49, 0.51]) == ["a", "c"]


def test_at_most_five_words_are_shown_the_first_among_equals() -> None:
    assert shown("a b c d e f", [1] * 6) == ["a b c d e"]


def test_the_commonest_words_are_not_shown() -> None:
    assert shown("a b", [1, 0.4], a=0.5) == ["b"]
    assert shown("was left", [1, 0.01], was=0.574) == ["left"]
    assert shown("was left", [1, -0.5], was=0.574) == []


@pytest.mark.parametrize("strength", [[0.0, 0.0], [-1.0, -0.5]])
def test_nothing_is_shown_where_no_word_speaks_for_a_breach(strength: list[float]) -> None:
    assert shown("a b", strength) == []


def test_chunks_that_follow_one_another_are_one_span() -> None:
    assert joined(chunk("ab cd, e"), [0, 1, 3]) == (Span(0, 5), Span(7, 8))
    assert joined(chunk("ab"), []) == ()


def test_a_contraction_is_shown_whole_or_not_at_all() -> None:
    assert shown("I'll see", [0.05, 0, 1, 0.2]) == ["see"]
    assert shown("you don\u2019t care", [0, 1, 0, 0.9, 0.8]) == ["don\u2019t care"]
    assert shown("'ab' c", [0, 1, 0, 0]) == ["ab"]
    assert shown("O'Brien hates", [0, 0, 1, 0.1]) == ["Brien"]
    assert shown("I'd've gone", [1, 0, 0, 0, 0, 0]) == ["I'd've"]
    assert joined(chunk("don't ask"), [0, 2, 3]) == (Span(0, 9),)


def test_words_match_by_their_lead_over_complying_texts() -> None:
    violating = np.array([[0.9, 0.1], [0.2, 0.3]], np.float32)
    complying = np.array([[0.5], [0.7]], np.float32)
    assert matched(violating, complying) == pytest.approx([0.4, -0.4])
    assert matched(violating, complying[:, :0]) == pytest.approx([0.9, 0.3])


def test_words_move_a_text_towards_the_mean_of_others() -> None:
    vectors, words = query_of("a b")
    pulls = np.array([[0.2, 0.0], [-0.2, 0.4]], np.float32)
    near = to_grid(np.array([[1, 0], [0, 1]], np.float32))
    assert moved(replace(vectors, pulls=pulls), words, near) == pytest.approx([0.1, 0.1])


def test_only_the_words_asked_about_are_told(make_encoder: Any) -> None:
    (text,) = Moving(make_encoder()).encode(["the smelly cod , it sank"])
    few = words_that_count(text, SETTINGS, most=2)
    assert moved(text, few, to_grid(text.text[None])).shape == (2,)


def evidence_on(encoder: Any, text: str, pack: PolicySet = FISH, **options: Any) -> dict[str, Any]:
    (found,) = LocalRetriever(Encoders.same(encoder), SETTINGS).evidence_now(
        PackRef("", inline=pack), [text], 2, **options
    )
    return {p.policy: [text[s.start : s.end] for s in p.spans] for p in found.policies}


def test_evidence_is_what_moves_a_text_to_where_a_policy_is_suggested(make_encoder: Any) -> None:
    found = evidence_on(Moving(make_encoder(64)), "smelly kippers met rotten haddock yesterday")
    assert found == {"herring": ["smelly kippers"], "cod": ["rotten haddock"]}


def test_without_examples_the_policy_s_own_words_decide(make_encoder: Any) -> None:
    bare = FISH.model_copy(update={"examples": ()})
    text = "yesterday herring met some cod"
    found = evidence_on(Moving(make_encoder(64)), text, bare)
    assert found == {"herring": ["herring"], "cod": ["cod"]}


def test_excluded_examples_move_nothing(make_encoder: Any) -> None:
    encoder, text = Moving(make_encoder(64)), "smelly kippers met herring yesterday"
    assert "smelly kippers" in evidence_on(encoder, text)["herring"]
    assert evidence_on(encoder, text, exclude=[{"1"}])["herring"] == ["herring"]


def test_how_candidates_are_found_does_not_matter(make_encoder: Any) -> None:
    encoder, text = make_encoder(64), "smelly kippers met rotten haddock yesterday"
    candidates = LocalRetriever(Encoders.same(Moving(encoder)), IndexSettings(kind="ivf_sq8"))
    (found,) = candidates.evidence_now(PackRef("", inline=FISH), [text], 2)
    (exact,) = LocalRetriever(Encoders.same(Moving(encoder)), SETTINGS).evidence_now(
        PackRef("", inline=FISH), [text], 2
    )
    assert [p.spans for p in found.policies] == [p.spans for p in exact.policies]


@pytest.mark.model
def test_without_a_word_a_policy_is_suggested_less_by_what_the_word_moves() -> None:
    tuning = ROOT / "adapters" / "policies"
    encoder = load_encoders(None, None, for_policies=tuning).policy_sets
    (found,) = LocalRetriever(Encoders.same(encoder), SETTINGS).evidence_now(
        PackRef("", inline=FISH), [SMELLY], 1
    )
    first = found.policies[0]
    written = [in_brief(p) for p in FISH.policies if p.id == first.policy]
    near = encoder.encode([*written, first.violating[0].example.text])
    (text,) = encoder.encode([SMELLY])
    query = words_that_count(text, SETTINGS)
    gridded = to_grid(np.stack([n.text for n in near]))
    direction = from_grid(gridded).mean(axis=0)

    alone = ContextualEncoder(tuning=tuning)
    read = alone._reader.read(SMELLY)
    rows = alone._forward(read.ids, read.cases)
    length = np.linalg.norm(rows.mean(0))
    for place, moves in zip(query.places, moved(text, query, gridded), strict=True):
        own = [1 + subword for subword, word in read.parts if word == place]
        left = np.delete(rows, own, axis=0).mean(0) @ direction / length
        lost = moves * len(rows) / (len(rows) - len(own))
        assert strength_of(first) - left == pytest.approx(lost, abs=2e-3), "up to the grid"


def test_a_blank_text_has_no_evidence(make_encoder: Any) -> None:
    assert evidence_on(Moving(make_encoder()), " ") == {"herring": [], "cod": []}
