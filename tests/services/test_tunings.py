"""Which tunings the settings choose, and that a missing one names the way out."""

from collections.abc import Callable
from pathlib import Path

import pytest

from services.settings import Settings
from services.stock import stock_adapters
from services.tunings import POLICIES, WORDS, policy_tuning, word_tuning
from wraner.adapters import CONFIG, WEIGHTS
from wraner.errors import Unavailable

KINDS = pytest.mark.parametrize(
    ("setting", "folder", "tuning"),
    [("word_adapter", WORDS, word_tuning), ("policy_adapter", POLICIES, policy_tuning)],
)
Tuning = Callable[[Settings], Path | None]


@pytest.fixture
def adapters(tmp_path: Path) -> Path:
    """Two files where each of the bundled tunings lies."""
    for folder in (WORDS, POLICIES):
        (tmp_path / "adapters" / folder).mkdir(parents=True)
        for name in (CONFIG, WEIGHTS):
            (tmp_path / "adapters" / folder / name).write_text("{}")
    return tmp_path / "adapters"


def chosen(adapters: Path, **options: str) -> Settings:
    state = adapters.parent / "state"
    return Settings(state_dir=state, adapters_dir=adapters, **options)  # type: ignore[arg-type]


@KINDS
def test_the_tuning_that_ships_belongs_to_the_bundled_encoder(
    adapters: Path, setting: str, folder: str, tuning: Tuning
) -> None:
    assert tuning(chosen(adapters)) == adapters / folder
    assert tuning(chosen(adapters, encoder="/own")) is None
    assert tuning(chosen(adapters, **{setting: "none"})) is None
    own = adapters.rename(adapters.with_name("own")) / folder
    for encoder in ("bundled", "/own"):
        assert tuning(chosen(adapters, encoder=encoder, **{setting: str(own)})) == own


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
@KINDS
def test_a_missing_tuning_names_the_way_out(
    adapters: Path, setting: str, folder: str, tuning: Tuning, name: str
) -> None:
    (adapters / folder / name).unlink()
    for adapter in ("bundled", str(adapters / folder)):
        with pytest.raises(Unavailable, match=f"adapters/{folder},.*_{setting.upper()}=none"):
            tuning(chosen(adapters, **{setting: adapter}))


def test_a_tuning_of_the_encoder_is_no_adapter_of_a_task(adapters: Path, tmp_path: Path) -> None:
    assert stock_adapters(tmp_path / "state", adapters) == []
    assert list((tmp_path / "state").rglob("*.safetensors")) == []
