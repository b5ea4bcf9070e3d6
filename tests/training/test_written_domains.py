from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import DATA
from training.clean_sources import read_clean_sources
from training.leaks import HeldOut
from training.ner_domains import Split, read_domain
from training.settings import TrainingSettings
from training.sheets import shipped_sheet
from training.sources import Source
from training.written_domains import written_names, written_source

TARGETS = ("politics", "science", "music", "literature", "ai")


@pytest.fixture(scope="module")
def written() -> list[Source]:
    return [written_source(name) for name in written_names()]


def test_every_domain_is_read_whole_and_shows_each_of_its_types(written: list[Source]) -> None:
    for source in written:
        left_out = source.left_out
        assert (left_out.duplicates, left_out.sentences, left_out.mentions) == (0, 0, 0)
        shown = Counter(m.label for e in source.train for m in e.entities)
        assert min(shown[t.name] for t in source.sheet.types) >= 4, (source.name, shown)
        assert any(not e.entities for e in source.train), source.name
    assert len(written) >= 24


def test_every_type_has_other_words_to_be_called_by(written: list[Source]) -> None:
    for source in written:
        assert len(source.sheet.types) >= 8, source.name
        for t in source.sheet.types:
            assert t.paraphrases and len(t.synonyms) >= 1, (source.name, t.name)


def test_no_text_stands_in_two_domains(written: list[Source]) -> None:
    texts = Counter(e.text for source in written for e in source.train)
    assert texts.most_common(1)[0][1] == 1


@pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")
def test_none_shares_eight_words_with_what_is_measured_on(written: list[Source]) -> None:
    asked = [
        s.text
        for name in TARGETS
        for split in Split
        for s in read_domain(DATA / "crossner" / name, shipped_sheet(name), split).asked
    ]
    held_out = HeldOut(asked)
    assert not [e.text for source in written for e in source.train if held_out.leaks(e.text)]


def test_a_training_draws_from_them_by_name(tmp_path: Path) -> None:
    settings = TrainingSettings(sources={"chess": 1.0})
    (source,) = read_clean_sources(settings, tmp_path, lambda _: None)
    assert source.name == "chess" and len(source.train) >= 40
    assert {m.label for e in source.train for m in e.entities} <= set(source.sheet.names.values())


def test_what_will_be_asked_about_is_drawn_from_no_source(tmp_path: Path) -> None:
    settings = TrainingSettings(sources={"chess": 1.0})
    (whole,) = read_clean_sources(settings, tmp_path, lambda _: None)
    asked = [example.text.upper() for example in whole.train[:3]]
    (source,) = read_clean_sources(settings, tmp_path, lambda _: None, asked=asked)
    assert [e.text for e in source.train] == [e.text for e in whole.train[3:]]


def test_a_configured_source_of_the_same_name_stands_in(tmp_path: Path) -> None:
    (tmp_path / "own.conll").write_text("Ada B-person\nplays O\nchess O\n. O\n")
    (tmp_path / "own.yaml").write_text(
        "- {name: chess, sheet: sheet.yaml, terms: ours, train: [own.conll]}\n"
    )
    (tmp_path / "sheet.yaml").write_text(
        "{description: d, types: [{label: person, name: person, definition: somebody}]}\n"
    )
    settings = TrainingSettings(sources={"chess": 1.0}, source_file=tmp_path / "own.yaml")
    (source,) = read_clean_sources(settings, tmp_path, lambda _: None)
    assert source.terms == "ours" and len(source.train) == 1
