"""The loss against loops in NumPy, and that tuning lowers it."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from index.word_model import load_encoder
from tests.training.towns import write_towns
from tests.training.word_towns import WIDTH, town_supply, word_settings, write_tiny_bert
from training import lora
from training.loop import StepReport
from training.word_batches import batch_of, untuned_vectors, word_vectors
from training.word_episodes import Episodes
from training.word_settings import WordSettings
from training.word_tuning import Tunable, measure, neighbour_losses, tunable, tune
from wraner.errors import InvalidInput


def slowly(
    vectors: np.ndarray, tags: list[int], sentences: list[int], temperature: float
) -> list[float]:
    """Return the losses by their definition."""
    found = []
    for i, vector in enumerate(vectors):
        right = total = 0.0
        for j, other in enumerate(vectors):
            if sentences[i] != sentences[j]:
                vote = math.exp(float(vector @ other) / temperature)
                total += vote
                right += vote if tags[i] == tags[j] else 0.0
        if right:
            found.append(-math.log(right / total))
    return found


def losses(vectors: np.ndarray, tags: list[int], sentences: list[int], t: float) -> torch.Tensor:
    rows, own = torch.from_numpy(vectors), torch.tensor(sentences)
    return neighbour_losses(rows, torch.tensor(tags), sentences=own, temperature=t)


@examples(max_examples=50, deadline=None)
@given(
    words=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12),
    seed=st.integers(0, 99),
    temperature=st.sampled_from([0.05, 0.3, 2.0]),
)
def test_losses_are_as_defined(words: list[tuple[int, int]], seed: int, temperature: float) -> None:
    vectors = np.random.default_rng(seed).normal(size=(len(words), 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    tags, sentences = [t for t, _ in words], [s for _, s in words]
    found = losses(vectors, tags, sentences, temperature)
    assert found.tolist() == pytest.approx(slowly(vectors, tags, sentences, temperature), abs=1e-9)


def test_a_words_own_sentence_has_no_vote() -> None:
    vectors = np.eye(4)[[0, 0, 1, 2]]
    tags, sentences = [1, 2, 1, 2], [0, 0, 1, 1]
    before = losses(vectors, tags, sentences, 0.1)
    vectors[1] = np.eye(4)[3]  # of the first word's sentence: nothing changes for the first
    assert losses(vectors, tags, sentences, 0.1)[0] == before[0] == pytest.approx(math.log(2))


def test_words_without_a_partner_elsewhere_are_left_out() -> None:
    vectors = np.eye(3)
    assert len(losses(vectors, [1, 1, 2], [0, 0, 1], 0.1)) == 0
    assert len(losses(vectors, [1, 2, 1], [0, 0, 1], 0.1)) == 2


def test_the_gradient_is_finite_where_a_word_has_no_partner() -> None:
    vectors = torch.eye(3, requires_grad=True)
    tags, sentences = torch.tensor([1, 2, 1]), torch.tensor([0, 0, 1])
    found = neighbour_losses(vectors, tags, sentences=sentences, temperature=0.05)
    (gradient,) = torch.autograd.grad(found.mean(), vectors)
    assert gradient.isfinite().all() and gradient.any()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_towns(tmp_path)
    write_tiny_bert(tmp_path / "bert")
    return tmp_path


def started(folder: Path, **changes: object) -> tuple[WordSettings, Tunable, Episodes]:
    settings = word_settings(folder / "bert", folder / "sources.yaml", **changes)
    shape = {"rank": settings.rank, "alpha": settings.alpha, "seed": settings.seed}
    tuned = tunable(load_encoder(folder / "bert", settings.layer), **shape)
    plain = tunable(load_encoder(folder / "bert", 1), **shape).model.eval()
    supply = town_supply(settings, folder)
    episodes = Episodes([supply], settings, untuned=lambda s: untuned_vectors(plain, s))
    return settings, tuned, episodes


def test_tuning_lowers_the_loss_and_reports_every_step(folder: Path) -> None:
    settings, tuned, episodes = started(folder, steps=25, split_types=0)
    held = [episodes.step(number) for number in range(100, 104)]
    before = measure(tuned.model, held, temperature=settings.temperature)
    reports: list[StepReport] = []
    tune(tuned.model, episodes, settings=settings, on_step=reports.append)
    assert measure(tuned.model, held, temperature=settings.temperature) < 0.7 * before
    assert [r.step for r in reports] == list(range(1, 26))
    assert all(r.taught_tokens > 0 and r.gradient_norm > 0 for r in reports)
    assert max(r.learning_rate for r in reports) == settings.learning_rate


def test_a_loss_that_is_not_finite_ends_the_tuning_before_it_spoils_a_weight(
    folder: Path,
) -> None:
    settings, tuned, episodes = started(folder)
    with torch.no_grad():
        dict(lora.factors(tuned.model))["letter_case"].fill_(math.inf)
    before = {name: p.detach().clone() for name, p in lora.factors(tuned.model)}
    with pytest.raises(
        InvalidInput, match=r"finite gradient, was: .* at step 1; lower the learning rate"
    ):
        tune(tuned.model, episodes, settings=settings, on_step=lambda _: None)
    assert all(torch.equal(p, before[name]) for name, p in lora.factors(tuned.model))


def test_the_same_settings_give_the_same_weights(folder: Path) -> None:
    found = []
    for _ in range(2):
        settings, tuned, episodes = started(folder)
        tune(tuned.model, episodes, settings=settings, on_step=lambda _: None)
        found.append(dict(lora.factors(tuned.model)))
        torch.rand(3)
    assert all(torch.equal(found[0][name], found[1][name]) for name in found[0])
    other = dict(lora.factors(started(folder, seed=1)[1].model))
    fresh = dict(lora.factors(started(folder)[1].model))
    assert any(not torch.equal(other[name], fresh[name]) for name in fresh)


def test_what_is_trained_is_what_serving_reads(folder: Path) -> None:
    _, tuned, _ = started(folder)
    names = {name for name, _ in lora.factors(tuned.model)}
    layer = "encoder.encoder.layer.1.attention.self.query.lora_A"
    assert {"letter_case", layer} <= names
    assert all(n == "letter_case" or n.startswith("encoder.encoder.layer.") for n in names)


def test_layers_compute_in_bf16_and_learn_in_fp32() -> None:
    torch.manual_seed(0)
    layer = lora.LoraLinear(torch.nn.Linear(6, 4), lora.LoraShape(2, 4, 0.0, ()))
    torch.nn.init.normal_(layer.lora_B)
    hidden = torch.randn(3, 5, 6)
    whole = layer(hidden)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = layer(hidden)
    assert rounded.dtype == torch.bfloat16
    torch.testing.assert_close(rounded.float(), whole, rtol=0.03, atol=0.03)
    factors = [layer.lora_A, layer.lora_B]
    exact = torch.autograd.grad(whole.square().mean(), factors)
    near = torch.autograd.grad(rounded.float().square().mean(), factors)
    for one, other in zip(near, exact, strict=True):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other, rtol=0.05, atol=0.05)


def test_a_fresh_tuning_changes_no_vector(folder: Path) -> None:
    settings, tuned, _ = started(folder)
    sentences = town_supply(settings, folder).sentences[:5]
    batch = batch_of(sentences)
    plain = load_encoder(folder / "bert", 2)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        own = tuned.model.eval()(batch.ids, batch.cases, batch.mask)
        rows = plain(input_ids=batch.ids, attention_mask=batch.mask).last_hidden_state
    kept = batch.mask.bool()
    torch.testing.assert_close(own[kept].float(), rows[kept].float(), rtol=0, atol=0.05)


def test_vectors_do_not_depend_on_the_padding(folder: Path) -> None:
    settings, tuned, _ = started(folder)
    short, long = sorted(town_supply(settings, folder).sentences, key=lambda s: len(s.ids))[::31]
    with torch.no_grad():
        alone = word_vectors(tuned.model.eval(), batch_of([short]))
        beside = word_vectors(tuned.model, batch_of([short, long]))
    assert len(long.ids) > len(short.ids) and alone.shape == (len(short.tags), WIDTH)
    torch.testing.assert_close(alone, beside[: len(alone)], rtol=0, atol=0.02)
