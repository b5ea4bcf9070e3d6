from pathlib import Path

import pytest

from tests.training.moderation_examples import write_data, write_guidelines, write_table
from training import hatemoderate
from training.moderation_rows import AskedRows, read_rows, same_text
from wraner.errors import InvalidInput

TEST = "hatemoderate_test.csv"


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_guidelines(tmp_path / "policies.json")
    monkeypatch.setattr(hatemoderate, "_POLICIES", tmp_path / "policies.json")
    write_data(tmp_path / "data")
    return tmp_path / "data"


def test_texts_are_the_same_where_letters_and_digits_are() -> None:
    assert same_text("Zorvians: OUT!") == same_text(" zorvians\tout") == "zorvians out"
    assert same_text("Zorvia 1") != same_text("Zorvia 2")
    assert same_text("外国人") != same_text("天気")
    assert same_text("!") == "!"


def test_rows_carry_policy_kind_and_what_leaked(data: Path) -> None:
    asked = read_rows(data, TEST)
    assert [(r.number, r.policy, r.hateful) for r in asked.rows] == [
        (1, "banish", True),
        (2, "banish", True),
        (3, "mock", False),
        (4, "mock", False),
        (5, "mock", True),
        (6, "accuse", True),
    ]
    assert [r.kind for r in asked.rows] == [None, None, 3, 2, None, None]
    assert [r.clean for r in asked.rows] == [True, False, True, True, True, True]
    assert (asked.whole, len(asked.texts), asked.kinds) == (6, 5, True)


def test_texts_stand_apart_that_share_no_long_stretch_with_the_training_file(data: Path) -> None:
    header = "example_id sentence guideline labels"
    long = "Every Zorvian I ever met was late, and that is why"
    write_table(data / "hatemoderate_train.csv", header, ("1", long, "Do not mock", "1"))
    rows = (long + " I left.", long.replace("ever met", "met"), "They sing.", long)
    write_table(data / TEST, header, *((str(n), t, "Do not mock", "1") for n, t in enumerate(rows)))
    found = read_rows(data, TEST).rows
    assert [r.clean for r in found] == [True, True, True, False]
    assert [r.apart for r in found] == [False, True, True, False]


def test_a_contradictory_text_is_not_clean(data: Path) -> None:
    write_table(
        data / TEST,
        "example_id sentence guideline labels",
        ("1", "Zorvians sing.", "Do not mock", "1"),
        ("2", "zorvians sing", "Do not mock", "0"),
    )
    assert [r.clean for r in read_rows(data, TEST).rows] == [False, False]


def test_kinds_are_left_out_where_their_file_is(data: Path) -> None:
    (data / "all_examples.csv").unlink()
    asked = read_rows(data, TEST)
    assert not asked.kinds and {r.kind for r in asked.rows} == {None}


def test_the_training_file_itself_has_not_leaked(data: Path) -> None:
    itself = read_rows(data, "hatemoderate_train.csv")
    assert all(row.clean for row in itself.rows)
    for also in ("./hatemoderate_train.csv", f"../{data.name}/hatemoderate_train.csv"):
        assert read_rows(data, also) == itself


def test_a_sample_keeps_all_rows_of_a_text(data: Path) -> None:
    asked = read_rows(data, TEST)
    for seed in range(8):
        drawn = asked.sample(2, seed=seed)
        assert len(drawn.texts) == 2 and drawn.whole == 6
        assert drawn.rows == tuple(r for r in asked.rows if r.text in drawn.texts)
    assert asked.sample(100, seed=0) == asked
    assert asked.sample(2, seed=0) == asked.sample(2, seed=0)
    assert len({asked.sample(2, seed=seed).texts for seed in range(8)}) > 1


def test_what_cannot_be_read_is_named(data: Path) -> None:
    with pytest.raises(InvalidInput, match=r"was: .*nowhere\.csv"):
        read_rows(data, "nowhere.csv")
    header = "example_id sentence guideline labels"
    write_table(data / "bad.csv", header, ("1", "Zorvian", "Do not mock", "2"))
    with pytest.raises(InvalidInput, match=r"bad\.csv: row 1: expected example_id"):
        read_rows(data, "bad.csv")
    write_table(data / "bad.csv", header, ("1", " ", "Do not mock", "1"))
    with pytest.raises(InvalidInput, match=r"bad\.csv: row 1: expected example_id"):
        read_rows(data, "bad.csv")
    write_table(data / "bad.csv", header, ("1", "Zorvian", "Do not sing", "1"))
    with pytest.raises(
        InvalidInput, match=r"of HateModerate's 3 guidelines.*wraner policies test NAME"
    ):
        read_rows(data, "bad.csv")
    (data / "hatemoderate_train.csv").unlink()
    with pytest.raises(InvalidInput, match=r"what texts have leaked.*wraner policies test NAME"):
        read_rows(data, TEST)


def test_the_released_test_file_without_what_leaked(hatemoderate: Path) -> None:
    asked: AskedRows = read_rows(hatemoderate, TEST)
    assert (len(asked.rows), len(asked.texts)) == (3986, 3424)
    clean = {row.key: row.hateful for row in asked.rows if row.clean}
    assert (sum(clean.values()), len(clean) - sum(clean.values())) == (1986, 1291)
    hateful = {row.key for row in asked.rows if row.hateful}
    torn = hateful & {row.key for row in asked.rows if not row.hateful}
    # without what leaked, 3279 texts: two of them are called both hateful and not
    assert (len(clean), len(torn), len(clean.keys() | torn)) == (3277, 2, 3279)
    assert sum(row.kind == 2 for row in asked.rows) == 769
