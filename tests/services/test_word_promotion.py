"""Promotion of word tunings: domains are indexed first, and what cannot be leaves all as it was."""

from pathlib import Path
from typing import Any

import pytest

from services import word_promotion
from services.settings import Settings
from services.tunings import WORDS, word_tuning
from services.word_promotion import promote_words, rollback_words
from tests.wraner.random_adapters import hollow_adapter
from wraner.adapters import CONFIG, WEIGHTS, Task
from wraner.errors import InvalidInput, NotFound, Stale, Unavailable
from wraner.packs import Domain, EntityType, Pack, Policy, PolicySet, version
from wraner.promotions import current
from wraner.registry import PackStore
from wraner.weights import BaseModel

BASE = BaseModel(Path("none"), "tiny", "0" * 64)
RULES = PolicySet(policies=(Policy(id="calm", title="Calm", definition="No shouting."),))
RIVERS = Domain(entity_types=(EntityType(name="river"),))


class Indexes:
    """Generations by tuning and version; `meanwhile` happens when the first is built."""

    def __init__(self) -> None:
        self.built: list[tuple[str, str, str]] = []
        self.error: Exception | None = None
        self.meanwhile: Any = None

    def with_tuning(self, settings: Settings, tuning: Path) -> Any:
        outer, name = self, tuning.name

        class Generations:
            def open(self, pack_version: str) -> None:
                if not any(b[:2] == (name, pack_version) for b in outer.built):
                    raise NotFound("never built")

            def build(self, pack: Pack, previous_version: str | None = None) -> None:
                if outer.error:
                    raise outer.error
                serving = current(settings.state_dir / "adapters", Task.WORDS)
                outer.built.append((name, version(pack), serving))
                happens, outer.meanwhile = outer.meanwhile, None
                if happens:
                    happens()

        return Generations()


class Bed:
    def __init__(self, folder: Path, indexes: Indexes) -> None:
        self.settings = Settings(state_dir=folder / "state", adapters_dir=folder / "adapters")
        self.adapters = folder / "state" / "adapters"
        self.packs = PackStore(folder / "state" / "packs")
        self.indexes = indexes
        self.shipped = folder / "adapters" / WORDS

    def tuning(self, words: str) -> str:
        return hollow_adapter(BASE, self.adapters, words, task=Task.WORDS)

    def promote(self, identity: str, expected: str = "") -> None:
        promote_words(self.settings, identity, expected=expected, say=lambda _: None)

    def rollback(self, expected: str) -> str:
        return rollback_words(self.settings, expected=expected, say=lambda _: None)


@pytest.fixture
def bed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bed:
    indexes = Indexes()
    monkeypatch.setattr(word_promotion, "generations_with", indexes.with_tuning)
    bed = Bed(tmp_path, indexes)
    bed.shipped.mkdir(parents=True)
    for name in (CONFIG, WEIGHTS):
        (bed.shipped / name).write_text("{}")
    bed.packs.publish("rivers", RIVERS, expected=None)
    return bed


def test_domains_are_indexed_before_the_pointer_flips(bed: Bed) -> None:
    bed.packs.publish("rules", RULES, expected=None)
    one, two = bed.tuning("1"), bed.tuning("2")
    assert word_tuning(bed.settings) == bed.shipped
    bed.promote(one)
    assert bed.indexes.built == [(one, version(RIVERS), "")]  # policy sets have another encoder
    assert word_tuning(bed.settings) == bed.adapters / one
    bed.promote(two, expected=one)
    assert bed.indexes.built[1:] == [(two, version(RIVERS), one)]
    assert bed.rollback(expected=two) == one
    assert word_tuning(bed.settings) == bed.adapters / one and len(bed.indexes.built) == 2
    assert bed.rollback(expected=one) == ""
    assert word_tuning(bed.settings) == bed.shipped
    assert bed.indexes.built[2:] == [(WORDS, version(RIVERS), one)]
    with pytest.raises(NotFound, match="none was promoted"):
        bed.rollback(expected="")


def test_a_rollback_undoes_no_promotion_that_comes_while_it_indexes(bed: Bed) -> None:
    one, two, three = (bed.tuning(words) for words in "123")
    bed.promote(one)
    bed.promote(two, expected=one)
    bed.indexes.built.clear()  # as where an index was dropped
    bed.indexes.meanwhile = lambda: bed.promote(three, expected=two)
    with pytest.raises(Stale, match="repeat the rollback"):
        bed.rollback(expected=two)
    assert current(bed.adapters, Task.WORDS) == three


def test_what_is_stored_meanwhile_is_indexed_too(bed: Bed) -> None:
    lakes = Domain(entity_types=(EntityType(name="lake"),))

    def stored() -> None:
        bed.packs.publish("lakes", lakes, expected=None)

    one = bed.tuning("1")
    bed.indexes.meanwhile = stored
    bed.promote(one)
    assert {b[1] for b in bed.indexes.built} == {version(RIVERS), version(lakes)}


def test_a_domain_that_cannot_be_indexed_leaves_all_as_it_was(bed: Bed) -> None:
    one = bed.tuning("1")
    bed.indexes.error = Unavailable("the disk is full")
    with pytest.raises(Unavailable, match=r"rivers, where the disk is full; .*domains remove"):
        bed.promote(one)
    assert current(bed.adapters, Task.WORDS) == "" and word_tuning(bed.settings) == bed.shipped


def test_what_cannot_be_indexed_behind_a_promotion_is_said(bed: Bed) -> None:
    def stored() -> None:
        bed.packs.publish("lakes", Domain(entity_types=(EntityType(name="lake"),)), expected=None)
        bed.indexes.error = Unavailable("the disk is full")

    one, said = bed.tuning("1"), list[str]()
    bed.indexes.meanwhile = stored
    promote_words(bed.settings, one, expected="", say=said.append)
    assert current(bed.adapters, Task.WORDS) == one
    assert any("stored meanwhile" in words and "the disk is full" in words for words in said)


def test_what_is_no_word_tuning_or_late_is_refused(bed: Bed) -> None:
    other = hollow_adapter(BASE, bed.adapters, "ner")
    with pytest.raises(InvalidInput, match="expected an adapter for words"):
        bed.promote(other)
    with pytest.raises(Stale):
        bed.promote(bed.tuning("1"), expected="f" * 64)
    with pytest.raises(NotFound):
        bed.promote("0" * 64)
    assert current(bed.adapters, Task.WORDS) == ""


def test_a_promoted_tuning_that_is_gone_names_the_way_out(bed: Bed) -> None:
    one = bed.tuning("1")
    bed.promote(one)
    (bed.adapters / one / WEIGHTS).unlink()
    with pytest.raises(Unavailable, match="wraner adapters rollback words"):
        word_tuning(bed.settings)
    pinned = bed.settings.model_copy(update={"word_adapter": "none"})
    assert word_tuning(pinned) is None
    assert word_tuning(bed.settings.model_copy(update={"encoder": "/own"})) is None
