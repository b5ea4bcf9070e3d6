from pathlib import Path

import pytest

from index.word_votes import UNTUNED, VoteSettings
from services.loading import fusion_of, vote_settings
from services.settings import Settings
from wraner.entity_fusion import FAST, SHIPPED


def test_untuned_words_vote_in_their_own_way(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)  # what ships lies in the repository
    untuned = settings.model_copy(update={"word_adapter": "none"})
    assert vote_settings(settings) == VoteSettings()
    assert vote_settings(untuned) == UNTUNED != VoteSettings()


def test_votes_answer_alone_only_where_the_operator_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fusion_of(Settings(state_dir=tmp_path)) is SHIPPED
    monkeypatch.setenv("WRANER_VOTES_ALONE", "true")
    assert fusion_of(Settings(state_dir=tmp_path)) is FAST
