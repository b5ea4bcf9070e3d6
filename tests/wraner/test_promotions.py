"""Promotions: one wins, the other is told; the way back is kept; damage is told."""

import threading
from pathlib import Path

import pytest

from tests.wraner.random_adapters import hollow_adapter
from wraner.adapters import CONFIG, Task
from wraner.errors import InvalidInput, NotFound, Stale, Unavailable
from wraner.promotions import Source, current, history, promote, rollback
from wraner.weights import BaseModel

BASE = BaseModel(Path("none"), "tiny", "0" * 64)
NER = Task.NER


@pytest.fixture
def three(tmp_path: Path) -> list[str]:
    """Three adapters for NER in `tmp_path`."""
    return [hollow_adapter(BASE, tmp_path, str(n)) for n in range(3)]


def test_promoted_adapters_answer_and_are_rolled_back_in_turn(
    tmp_path: Path, three: list[str]
) -> None:
    assert current(tmp_path, NER) == ""
    for before, adapter in zip(["", *three], three, strict=False):
        promote(tmp_path, NER, adapter, expected=before)
        assert current(tmp_path, NER) == adapter
    assert [p.adapter for p in history(tmp_path, NER)] == three
    assert [rollback(tmp_path, NER) for _ in three] == [three[1], three[0], ""]
    with pytest.raises(NotFound, match="none was promoted"):
        rollback(tmp_path, NER)
    promote(tmp_path, NER, three[2], expected="")
    assert rollback(tmp_path, NER) == "" and current(tmp_path, Task.MODERATION) == ""


def test_a_promotion_that_expects_another_adapter_changes_nothing(
    tmp_path: Path, three: list[str]
) -> None:
    promote(tmp_path, NER, three[0], expected="")
    for expected in ("", three[2]):
        with pytest.raises(Stale, match=f"was: {three[0][:16]}"):
            promote(tmp_path, NER, three[1], expected=expected)
    assert current(tmp_path, NER) == three[0]


def test_a_rollback_that_expects_another_adapter_changes_nothing(
    tmp_path: Path, three: list[str]
) -> None:
    for before, adapter in zip(["", *three], three, strict=False):
        promote(tmp_path, NER, adapter, expected=before)
    for expected in ("", three[1]):
        with pytest.raises(Stale, match=f"was: {three[2][:16]}; look at it and repeat the rollb"):
            rollback(tmp_path, NER, expected=expected)
    assert [p.adapter for p in history(tmp_path, NER)] == three
    assert rollback(tmp_path, NER, expected=three[2]) == three[1]


def test_of_concurrent_promotions_one_wins_and_the_others_are_told(tmp_path: Path) -> None:
    made = [hollow_adapter(BASE, tmp_path, str(n)) for n in range(8)]
    ready, outcomes = threading.Barrier(len(made)), dict[str, bool]()

    def race(adapter: str) -> None:
        ready.wait()
        try:
            promote(tmp_path, NER, adapter, expected="")
            outcomes[adapter] = True
        except Stale:
            outcomes[adapter] = False

    threads = [threading.Thread(target=race, args=(adapter,)) for adapter in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == sorted(made)
    assert [a for a, won in outcomes.items() if won] == [current(tmp_path, NER)]


def test_what_cannot_answer_is_not_promoted(tmp_path: Path, three: list[str]) -> None:
    for_policies = hollow_adapter(BASE, tmp_path, "m", task="moderation")
    with pytest.raises(InvalidInput, match="expected an adapter for ner"):
        promote(tmp_path, NER, for_policies, expected="")
    with pytest.raises(NotFound):
        promote(tmp_path, NER, "0" * 64, expected="")
    (tmp_path / three[0] / CONFIG).write_text("damaged")
    with pytest.raises(Unavailable, match="restore its folder"):
        promote(tmp_path, NER, three[0], expected="")
    assert history(tmp_path, NER) == ()


def test_a_rollback_passes_over_what_serves_and_other_bases(
    tmp_path: Path, three: list[str]
) -> None:
    other = hollow_adapter(BaseModel(Path("none"), "larger", "1" * 64), tmp_path, "other")
    before = ""
    for adapter in (three[0], other, three[1], three[2], three[1]):
        promote(tmp_path, NER, adapter, expected=before)
        before = adapter
    (tmp_path / three[2] / CONFIG).unlink()
    base = BASE.sha256
    assert [rollback(tmp_path, NER, base_sha256=base) for _ in range(2)] == [three[0], ""]


@pytest.mark.parametrize(("gone", "left"), [([1], [0]), ([0], [1]), ([0, 1], [])])
def test_a_rollback_passes_over_what_is_damaged_or_gone(
    tmp_path: Path, three: list[str], gone: list[int], left: list[int]
) -> None:
    for before, adapter in zip(["", *three], three, strict=False):
        promote(tmp_path, NER, adapter, expected=before)
    for number in gone:
        (tmp_path / three[number] / CONFIG).unlink()
    expected = [three[n] for n in left]
    assert [rollback(tmp_path, NER) for _ in range(len(left) + 1)] == [*expected, ""]


@pytest.mark.parametrize("content", ["", "{", '{"promotions": []}', "\xff"])
def test_a_damaged_pointer_is_told_with_the_way_out(
    tmp_path: Path, three: list[str], content: str
) -> None:
    pointer = tmp_path / "ner.json"
    pointer.write_text(content, encoding="latin-1")
    with pytest.raises(Unavailable, match="remove it and promote"):
        current(tmp_path, NER)
    with pytest.raises(Unavailable):
        promote(tmp_path, NER, three[0], expected="")
    pointer.unlink()
    promote(tmp_path, NER, three[0], expected="")


def test_promoting_what_is_current_makes_it_the_users_choice(
    tmp_path: Path, three: list[str]
) -> None:
    promote(tmp_path, NER, three[0], expected="", source=Source.SHIPPED)
    promote(tmp_path, NER, three[0], expected=three[0])
    assert [p.source for p in history(tmp_path, NER)] == [Source.USER]


def test_a_long_history_is_cut_at_its_beginning(tmp_path: Path, three: list[str]) -> None:
    before = ""
    for number in range(120):
        promote(tmp_path, NER, three[number % 3], expected=before)
        before = three[number % 3]
    kept = history(tmp_path, NER)
    assert len(kept) == 50 and kept[-1].adapter == before


def test_who_takes_an_own_promotion_back_follows_what_ships_again(
    tmp_path: Path, three: list[str]
) -> None:
    promote(tmp_path, NER, three[0], expected="", source=Source.SHIPPED)
    promote(tmp_path, NER, three[1], expected=three[0])
    rollback(tmp_path, NER)
    assert history(tmp_path, NER)[-1].source is Source.SHIPPED
    promote(tmp_path, NER, three[2], expected=three[0], source=Source.SHIPPED)
    rollback(tmp_path, NER)
    assert history(tmp_path, NER)[-1].source is Source.USER, "what ships was taken back"
