from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from index.encoders import Encoders
from index.generations import Generation, build
from index.search import nearest
from index.settings import IndexSettings
from index.similarity import Words, from_grid, words_that_count
from index.word_votes import _voters
from wraner.packs import Domain, EntityType, TaggedExample

VOCABULARY = [f"zq{a}{b}" for a in "bcdfghjklmnp" for b in "rstvwxyzaeiou"]


def domain(count: int, seed: int = 0) -> Domain:
    rng = np.random.default_rng(seed)
    texts = {" ".join(rng.choice(VOCABULARY, rng.integers(1, 9))) for _ in range(count)}
    return Domain(
        entity_types=(EntityType(name="thing"),),
        examples=tuple(TaggedExample(text=text) for text in sorted(texts)),
    )


def words_of(encoder: Any, text: str, settings: IndexSettings) -> Words:
    return words_that_count(encoder.encode([text])[0], settings, most=settings.query_words)


def oracle(
    store: dict[str, Words], query: Words, settings: IndexSettings
) -> list[tuple[float, str]]:
    """Score every example on its own, in float64, with none of the index's code but weights."""
    scored = []
    for identifier, words in store.items():
        products = query.vectors.astype(np.int64) @ words.vectors.astype(np.int64).T / 2048**2
        weights = query.weights.astype(np.float64)
        value = (products.max(1) * weights).sum() / weights.sum()
        if settings.aggregation == "symmetric":
            weights = words.weights.astype(np.float64)
            value = (value + (products.max(0) * weights).sum() / weights.sum()) / 2
        alike = query.text.astype(np.int64) @ words.text.astype(np.int64) / 2048**2
        value = (1 - settings.text_share) * value + settings.text_share * alike
        scored.append((-value, identifier))
    return sorted(scored)


def pairs(
    generation: Generation, query: Words, k: int, settings: IndexSettings, **options: Any
) -> list[tuple[Any, ...]]:
    hits = nearest(generation, query, k, settings, **options)
    return [(-hit.similarity, hit.entry.id) for hit in hits]


@pytest.mark.parametrize("aggregation", ["forward", "symmetric"])
@pytest.mark.parametrize("kind", ["flat", "ivf_sq8"])
def test_every_kind_against_the_oracle(
    kind: Any, aggregation: Any, make_encoder: Callable[[], Any]
) -> None:
    encoder, pack = make_encoder(), domain(400)
    settings = IndexSettings(kind=kind, aggregation=aggregation, nprobe=64)
    generation = build(pack, Encoders.same(encoder), settings)
    store = {e.id: words_that_count(encoder.encode([e.text])[0], settings) for e in pack.examples}
    found = 0
    for example in domain(40, seed=7).examples:
        query = words_of(encoder, example.text, settings)
        expected = oracle(store, query, settings)
        answer = pairs(generation, query, 5, settings)
        assert set(answer) <= set(expected)  # whatever is found has its exact similarity
        assert pairs(generation, query, 5, settings, exact=True) == expected[:5]
        found += len(set(answer) & set(expected[:5]))
    assert found >= (200 if kind == "flat" else 190)


def test_equal_similarities_stand_in_the_order_of_ids(make_encoder: Callable[[], Any]) -> None:
    examples = tuple(TaggedExample(id=i, text="Strasbourg cathedral") for i in "dbeca")
    pack = Domain(entity_types=(EntityType(name="thing"),), examples=examples)
    encoder, settings = make_encoder(), IndexSettings()
    generation = build(pack, Encoders.same(encoder), settings)
    hits = nearest(generation, words_of(encoder, "the cathedral", settings), 3, settings)
    assert [hit.entry.id for hit in hits] == ["a", "b", "c"]


@pytest.mark.parametrize("kind", ["flat", "ivf_sq8"])
def test_excluded_ids_do_not_count(kind: Any, make_encoder: Callable[[], Any]) -> None:
    encoder, pack, settings = make_encoder(), domain(50), IndexSettings(kind=kind, nprobe=64)
    generation = build(pack, Encoders.same(encoder), settings)
    own = pack.examples[3]
    query = words_of(encoder, own.text, settings)
    assert nearest(generation, query, 1, settings)[0].entry.id == own.id
    without = nearest(generation, query, 50, settings, exclude={own.id, "unheard of"})
    assert own.id not in {hit.entry.id for hit in without}


def test_what_is_gone_takes_no_candidates_place(make_encoder: Callable[[], Any]) -> None:
    encoder, pack = make_encoder(), domain(400)
    topic = "zqbr zqbs zqbt zqbv"
    about = tuple(TaggedExample(id=f"t{n}", text=f"{topic} {VOCABULARY[n]}") for n in range(90))
    whole = pack.model_copy(update={"examples": (*pack.examples, *about)})
    settings = IndexSettings(kind="ivf_sq8", nprobe=64, candidates=8, probe_matches=40)
    before = build(whole, Encoders.same(encoder), settings)
    (part,) = before.parts
    left = {e.id for e in about[:5]}
    gone = tuple(
        n for n, e in enumerate(part.segment.entries) if e.id[0] == "t" and e.id not in left
    )
    after = replace(before, parts=(replace(part, gone=gone),))
    query = words_of(encoder, topic, settings)
    hits = nearest(after, query, 5, settings)
    assert [h.entry.id for h in hits] == [
        h.entry.id for h in nearest(after, query, 5, settings, exact=True)
    ]
    assert {h.entry.id for h in hits} <= left and len(hits) == 5
    voters = _voters(after.parts[0], from_grid(query.vectors), query.weights, settings, ())
    owners = np.searchsorted(part.segment.offsets, voters, side="right") - 1
    assert {part.segment.entries[n].id for n in owners} >= left


def test_more_neighbours_asked_than_there_are(make_encoder: Callable[[], Any]) -> None:
    encoder, pack, settings = make_encoder(), domain(3), IndexSettings()
    generation = build(pack, Encoders.same(encoder), settings)
    assert len(nearest(generation, words_of(encoder, "zqbr", settings), 9, settings)) == 3


def test_a_blank_text_is_near_to_nothing(make_encoder: Callable[[], Any]) -> None:
    encoder, pack = make_encoder(), domain(10)
    for kind in ("flat", "ivf_sq8"):
        settings = IndexSettings(kind=kind)  # type: ignore[arg-type]
        hits = nearest(
            build(pack, Encoders.same(encoder), settings),
            words_of(encoder, " ", settings),
            2,
            settings,
        )
        assert [hit.similarity for hit in hits] in ([0.0, 0.0], [])


def test_the_kind_follows_from_the_size() -> None:
    settings = IndexSettings()
    assert settings.kind_for(settings.flat_limit) == "flat"
    assert settings.kind_for(settings.flat_limit + 1) == "ivf_sq8"
    assert IndexSettings(kind="ivf_sq8").kind_for(3) == "ivf_sq8"


def test_more_is_proposed_from_more_words() -> None:
    settings = IndexSettings()
    assert settings.probe_matches_for(100) == 100
    assert settings.probe_matches_for(100_000) == settings.probe_matches
    assert settings.probe_matches_for(1_000_000) == 2500
    assert settings.candidates_for(1_000) == settings.candidates
    assert settings.candidates_for(600_000) == 2 * settings.candidates


@pytest.mark.parametrize(
    "wrong", [{"nprobe": 0}, {"min_weight": 1.0}, {"text_share": 1.5}, {"query_words": 0}]
)
def test_settings_refuse_nonsense(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="was:"):
        IndexSettings(**wrong)


def test_no_neighbour_asked_for(make_encoder: Callable[[], Any]) -> None:
    encoder, settings = make_encoder(), IndexSettings()
    generation = build(domain(4), Encoders.same(encoder), settings)
    assert nearest(generation, words_of(encoder, "a b", settings), 0, settings) == []
