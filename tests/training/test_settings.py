"""Settings: every shipped file is one, what is wrong is named, and a run's name is their hash."""

from pathlib import Path

import pytest

from training.settings import OptimiserSettings, TrainingSettings, read_settings
from training.sources import DEFAULT_SOURCES, read_source_configs
from training.written_domains import written_names
from wraner.errors import InvalidInput

FOLDER = Path(__file__).parents[2] / "training" / "configs"
# Those of the encoder are read in test_word_settings and test_policy_settings.
CONFIGS = sorted(
    file for file in FOLDER.glob("*.yaml") if not file.name.startswith(("words", "policies"))
)
EXTRACTION = [file for file in CONFIGS if file.name.startswith("ner")]
TARGETS = ("politics", "science", "music", "literature", "ai")


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_shipped_settings_name_sources_that_are_configured(file: Path) -> None:
    settings = read_settings(file)
    sources = settings.source_file
    configured = read_source_configs(sources) if sources else read_source_configs()
    assert settings.sources.keys() <= {*(c.name for c in configured), *written_names()}


@pytest.mark.parametrize("file", EXTRACTION, ids=lambda file: file.stem)
def test_extraction_is_taught_nothing_of_crossner(file: Path) -> None:
    settings = read_settings(file)
    assert set(settings.held_out) >= {
        Path("crossner", domain, f"{split}.txt") for domain in TARGETS for split in ("dev", "test")
    }
    configured = {c.name: c for c in read_source_configs(settings.source_file or DEFAULT_SOURCES)}
    taught = [configured[name] for name in settings.sources if name in configured]
    places = {path.parts[:2] for c in taught for path in (*c.train, *c.dev, *c.test)}
    assert not places & {("crossner", domain) for domain in TARGETS}
    assert not settings.sources.keys() & set(TARGETS)


def test_some_settings_ship() -> None:
    assert {"ner", "moderation"} <= {file.stem for file in CONFIGS}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("sources: {towns: 1}\nlora: {rank: 0}", "lora/rank: "),
        ("sources: {towns: 1}\nsteps: 5", "steps: this field is not known"),
        ("sources: {towns: 0}", "sources/towns: "),
        ("optimiser: {steps: 5}", "expected either sources or judgements"),
        ("sources: {towns: 1}\nregularisers: {letters: 1.5}", "regularisers/letters: "),
        ("sources: {towns: 1}\nseed: -1", "seed: "),
        ("sources: {towns: 1}\noptimiser: {learning_rate: .inf}", "optimiser/learning_rate: "),
        ("sources: {towns: 1}\nprompts: {examples: []}", "prompts/examples: "),
        ("sources: {towns: 1}\nprompts: {examples: [0, 0]}", "one is above 0, was: [0.0, 0.0]"),
        ("sources: {towns: 1}\nprompts: {examples: [.inf]}", "prompts/examples/0: "),
        ("judgements: {examples: []}", "judgements/examples: "),
        ("judgements: {examples: [0]}", "judgements/examples: "),
        ("sources: {towns: 1}\nlora: {rank: 4}\nlora: {alpha: 8}", ":3: expected each key once"),
        ("- 1", "valid dictionary"),
        ("", "expected either sources or judgements"),
        ("sources: {", "expected a YAML file"),
    ],
)
def test_the_wrong_field_is_named(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(content)
    with pytest.raises(InvalidInput) as raised:
        read_settings(file)
    assert words in raised.value.message and str(file) in raised.value.message


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"at .*none\.yaml"):
        read_settings(tmp_path / "none.yaml")


def test_the_name_of_a_run_follows_every_setting(tmp_path: Path) -> None:
    first = TrainingSettings(sources={"towns": 1.0})
    assert first.identity == TrainingSettings(sources={"towns": 1.0}).identity
    others = (
        TrainingSettings(sources={"towns": 1.0}, seed=1),
        TrainingSettings(sources={"towns": 2.0}),
        TrainingSettings(sources={"towns": 1.0}, optimiser=OptimiserSettings(steps=401)),
    )
    assert len({first.identity, *(o.identity for o in others)}) == 4
