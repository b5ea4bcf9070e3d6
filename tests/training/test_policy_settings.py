"""Settings of a tuning for policy sets: every shipped file is one, what is wrong is named."""

from pathlib import Path

import pytest

from training.policy_settings import PolicySettings, read_policy_settings
from wraner.errors import InvalidInput

FOLDER = Path(__file__).parents[2] / "training" / "configs"
CONFIGS = sorted(FOLDER.glob("policies*.yaml"))


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_shipped_settings_are_read_and_hold_the_test_file_out(file: Path) -> None:
    settings = read_policy_settings(file)
    assert Path("hatemoderate/hatemoderate_test.csv") in settings.texts.held_out


def test_some_settings_ship() -> None:
    assert CONFIGS


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("steps: 0", "steps"),
        ("rounds: 5", "rounds"),
        ("learning_rate: .inf", "learning_rate"),
        ("texts: {train: [1]}", "train"),
        ("steps: {", "expected a YAML file"),
    ],
)
def test_the_wrong_field_is_named(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text(content)
    with pytest.raises(InvalidInput) as raised:
        read_policy_settings(file)
    assert words in raised.value.message


def test_an_empty_file_is_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "none.yaml").write_text("")
    assert read_policy_settings(tmp_path / "none.yaml") == PolicySettings()
