from pathlib import Path

from index.word_votes import UNTUNED, VoteSettings
from services.loading import vote_settings
from services.settings import Settings


def test_untuned_words_vote_in_their_own_way(tmp_path: Path) -> None:
    settings = Settings(state_dir=tmp_path)  # what ships lies in the repository
    untuned = settings.model_copy(update={"word_adapter": "none"})
    assert vote_settings(settings) == VoteSettings()
    assert vote_settings(untuned) == UNTUNED != VoteSettings()
