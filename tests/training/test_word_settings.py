"""The word encoder's settings: the shipped file is one, and what is wrong is named."""

from pathlib import Path

import pytest

from training.settings import read_settings
from training.sources import DEFAULT_SOURCES, read_source_configs
from training.word_settings import read_word_settings
from training.written_domains import written_names
from wraner.errors import InvalidInput

SHIPPED = Path(__file__).parents[2] / "training" / "configs" / "words.yaml"


TARGETS = {"politics", "science", "music", "literature", "ai"}


@pytest.mark.parametrize("file", sorted(SHIPPED.parent.glob("words*.yaml")), ids=lambda f: f.stem)
def test_shipped_settings_name_sources_that_are_configured(file: Path) -> None:
    settings = read_word_settings(file)
    configured = read_source_configs(settings.source_file or DEFAULT_SOURCES)
    assert settings.sources.keys() <= {*(c.name for c in configured), *written_names()}
    is_target = file.stem == "words-crossner"
    assert settings.sources.keys() & TARGETS == (TARGETS if is_target else set())
    assert settings.held_out == read_settings(SHIPPED.with_name("ner.yaml")).held_out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("sources: {towns: 1}\nrank: 0", "rank: "),
        ("sources: {towns: 1}\ndropout: 0.5", "dropout: this field is not known"),
        ("sources: {towns: 0}", "sources/towns: "),
        ("sources: {}", "sources: "),
        ("steps: 5", "sources: Field required"),
        ("sources: {towns: 1}\nsentences: 1", "sentences: "),
        ("sources: {towns: 1}\nseed: -1", "seed: "),
        ("sources: {towns: 1}\nlearning_rate: .inf", "learning_rate: "),
        ("sources: {towns: 1}\nletter_case_rate: .inf", "letter_case_rate: "),
        ("- 1", "valid dictionary"),
        ("sources: {", "expected a YAML file"),
    ],
)
def test_the_wrong_field_is_named(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(content)
    with pytest.raises(InvalidInput) as raised:
        read_word_settings(file)
    assert words in raised.value.message and str(file) in raised.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"at .*none\.yaml"):
        read_word_settings(tmp_path / "none.yaml")
