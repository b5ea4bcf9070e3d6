from pathlib import Path

import pytest

from index.word_votes import UNTUNED, VoteSettings
from services.loading import vote_settings, word_tuning
from services.settings import Settings, read_settings
from services.stock import stock_adapters
from wraner.adapters import CONFIG, WEIGHTS
from wraner.errors import Unavailable


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """Two files where the bundled tuning lies."""
    folder = tmp_path / "adapters" / "words"
    folder.mkdir(parents=True)
    for name in (CONFIG, WEIGHTS):
        (folder / name).write_text("{}")
    return folder


def chosen(shipped: Path, **options: str) -> Settings:
    return Settings(adapters_dir=shipped.parent, **options)  # type: ignore[arg-type]


def test_the_tuning_that_ships_belongs_to_the_bundled_encoder(shipped: Path) -> None:
    assert word_tuning(chosen(shipped)) == shipped
    assert word_tuning(chosen(shipped, encoder="/own")) is None
    assert word_tuning(chosen(shipped, word_adapter="none")) is None
    for encoder in ("bundled", "/own"):
        own = chosen(shipped, encoder=encoder, word_adapter=str(shipped))
        assert word_tuning(own) == shipped


@pytest.mark.parametrize("name", [CONFIG, WEIGHTS])
def test_a_missing_tuning_names_the_way_out(shipped: Path, name: str) -> None:
    (shipped / name).unlink()
    for adapter in ("bundled", str(shipped)):
        with pytest.raises(Unavailable, match=r"adapters/words.*WRANER_WORD_ADAPTER=none"):
            word_tuning(chosen(shipped, word_adapter=adapter))


def test_untuned_words_vote_in_their_own_way(shipped: Path) -> None:
    assert vote_settings(chosen(shipped)) == VoteSettings()
    assert vote_settings(chosen(shipped, word_adapter="none")) == UNTUNED != VoteSettings()


def test_folders_are_made_whole_and_words_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WRANER_WORD_ADAPTER", "own/words")
    monkeypatch.setenv("WRANER_ENCODER", "minilm")
    read = read_settings()
    assert read.word_adapter == str(tmp_path / "own" / "words")
    assert read.encoder == str(tmp_path / "minilm")
    monkeypatch.setenv("WRANER_WORD_ADAPTER", "none")
    monkeypatch.delenv("WRANER_ENCODER")
    assert (read_settings().word_adapter, read_settings().encoder) == ("none", "bundled")


def test_the_tuning_of_words_is_no_adapter_of_a_task(shipped: Path, tmp_path: Path) -> None:
    assert stock_adapters(tmp_path / "state", shipped.parent) == []
    assert list((tmp_path / "state").rglob("*.safetensors")) == []
