from pathlib import Path

import pytest

from training.ner_domains import NerDomain, Split, read_domain
from training.sheets import Sheet, shipped_sheet
from wraner.entities import Mention
from wraner.errors import InvalidInput
from wraner.packs import TaggedExample

SHEET = Sheet.model_validate(
    {
        "description": "Trips.",
        "types": [
            {"label": "loc", "name": "city", "definition": "a town or city"},
            {"label": "misc", "name": "rest", "definition": "any other name"},
        ],
    }
)
ROME, BONN = "In O\nRome B-loc\n", "To O\nBonn B-loc\n"
MAY, RAIN = "In O\nMay B-misc\n", "It O\nrains O\n"


def write(folder: Path, **splits: list[str]) -> Path:
    folder.mkdir(exist_ok=True)
    for split, sentences in splits.items():
        (folder / f"{split}.txt").write_text("\n".join(sentences) + "\n")
    return folder


@pytest.fixture
def trips(tmp_path: Path) -> Path:
    return write(
        tmp_path / "trips",
        train=[ROME, ROME, RAIN],
        dev=[MAY, RAIN, MAY],
        test=[MAY, BONN, ROME, BONN],
    )


def test_labels_become_the_sheets_names(trips: Path) -> None:
    domain = read_domain(trips, SHEET, Split.DEV)
    assert domain.pack.labels == ("city", "rest") and domain.leftover == ("rest",)
    assert domain.name == "trips" and domain.pack.description == "Trips."
    assert domain.asked[0].gold == (Mention(3, 6, "rest"),)
    texts = [(e.text, [m.label for m in e.entities]) for e in domain.pack.examples]
    assert texts == [("In Rome", ["city"]), ("It rains", [])]


def where(domain: NerDomain) -> list[tuple[str, str, str]]:
    return [(s.id, s.text, s.also_in) for s in domain.asked]


def test_repeats_are_asked_too_and_say_where_else_they_stand(trips: Path) -> None:
    assert where(read_domain(trips, SHEET, Split.DEV)) == [
        ("dev-1", "In May", ""),
        ("dev-2", "It rains", "train"),
        ("dev-3", "In May", "dev"),
    ]
    assert where(read_domain(trips, SHEET, Split.TEST)) == [
        ("test-1", "In May", "dev"),
        ("test-2", "To Bonn", ""),
        ("test-3", "In Rome", "train"),
        ("test-4", "To Bonn", "test"),
    ]


def test_files_are_named_with_their_hashes(trips: Path) -> None:
    names = [f.path.name for f in read_domain(trips, SHEET, Split.TEST).files]
    assert names == ["train.txt", "dev.txt", "test.txt"]
    first, second = read_domain(trips, SHEET, Split.DEV).files
    assert len(first.sha256) == 64 and first.sha256 != second.sha256


def test_a_sample_is_drawn_by_its_seed_in_the_order_of_the_file(tmp_path: Path) -> None:
    many = [f"Day O\n{n} O\n" for n in range(50)]
    domain = read_domain(write(tmp_path, train=[ROME], dev=many), SHEET, Split.DEV)
    sample = domain.sample(10, seed=1)
    numbers = [int(s.id.removeprefix("dev-")) for s in sample.asked]
    assert numbers == sorted(numbers) and len(numbers) == 10 and sample.whole == 50
    assert sample == domain.sample(10, seed=1) != domain.sample(10, seed=2)
    assert domain.sample(99, seed=1) == domain


def test_other_formats_are_told_by_their_ending(tmp_path: Path) -> None:
    line = '{"id": "x", "text": "In Rome", "entities": [{"start": 3, "end": 7, "label": "loc"}]}'
    (tmp_path / "train.jsonl").write_text(line + "\n")
    domain = read_domain(write(tmp_path, dev=[MAY]), SHEET, Split.DEV)
    assert [(e.id, e.entities) for e in domain.pack.examples] == [("x", (Mention(3, 7, "city"),))]


def test_sentences_that_share_an_id_are_all_there(tmp_path: Path) -> None:
    lines = [
        f'{{"id": "{name}", "text": "In {town}", "entities": []}}'
        for name, town in [("doc", "Rome"), ("doc", "Bonn"), ("doc", "Rome"), ("own", "Ulm")]
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(lines) + "\n")
    domain = read_domain(write(tmp_path, dev=[MAY]), SHEET, Split.DEV)
    rome, bonn, ulm = domain.pack.examples
    assert [e.text for e in (rome, bonn, ulm)] == ["In Rome", "In Bonn", "In Ulm"]
    assert rome == TaggedExample(text="In Rome") and bonn == TaggedExample(text="In Bonn")
    assert ulm.id == "own"


def test_what_is_missing_or_unknown_is_named(trips: Path) -> None:
    write(trips, dev=["Ann B-per\n"])
    with pytest.raises(InvalidInput, match=r"dev\.txt: expected labels .*loc, misc.* was: 'per'"):
        read_domain(trips, SHEET, Split.DEV)
    (trips / "dev.txt").unlink()
    with pytest.raises(InvalidInput, match=r"one file dev\.txt .* was: none"):
        read_domain(trips, SHEET, Split.TEST)
    (trips / "train.jsonl").touch()
    with pytest.raises(InvalidInput, match=r"was: train\.jsonl, train\.txt"):
        read_domain(trips, SHEET, Split.DEV)


@pytest.mark.parametrize("name", ["politics", "science", "music", "literature", "ai"])
def test_crossner_is_read_whole(crossner: Path, name: str) -> None:
    domain = read_domain(crossner / name, shipped_sheet(name), Split.DEV)
    sizes = {"politics": 541, "science": 450, "music": 380, "literature": 400, "ai": 350}
    assert len(domain.asked) == sizes[name] and len(domain.leftover) == 1
