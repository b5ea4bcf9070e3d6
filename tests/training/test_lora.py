"""Adapters: the layer and its gradient against autograd's own, the files against PEFT's."""

from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from tests.wraner.random_adapters import random_adapter
from training import lora
from training.lora import LoraLinear, LoraShape
from training.preparation import adapted_model
from training.settings import LoraSettings, TrainingSettings
from wraner.errors import InvalidInput
from wraner.weights import BaseModel

SHAPE = LoraShape(rank=3, alpha=6, dropout=0.0, targets=("q_proj", "down_proj"))


def adapted(base: BaseModel, seed: int = 0) -> torch.nn.Module:
    model = AutoModelForCausalLM.from_pretrained(base.path, dtype=torch.float32)
    torch.manual_seed(seed)
    lora.attach(model, SHAPE)
    with torch.no_grad():
        for _, factor in lora.factors(model):
            factor.normal_(std=0.3)
    return model


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_gradients_are_those_of_the_plain_product(dropout: float) -> None:
    torch.manual_seed(1)
    layer = LoraLinear(torch.nn.Linear(7, 5).double(), LoraShape(2, 4, dropout, ()))
    layer.double()
    torch.nn.init.normal_(layer.lora_B)
    hidden = torch.randn(2, 4, 7, dtype=torch.float64, requires_grad=True)
    grads = []
    for plain in (False, True):
        torch.manual_seed(2)
        if plain:
            narrowed = torch.nn.functional.dropout(hidden.flatten(0, 1), dropout)
            low = (narrowed @ layer.lora_A.t() @ layer.lora_B.t() * 2).view(2, 4, 5)
            out = layer.frozen(hidden) + low
        else:
            out = layer(hidden)
        inputs = [hidden, layer.lora_A, layer.lora_B]
        grads.append([out, *torch.autograd.grad(out.square().sum(), inputs)])
    for own, plain_one in zip(*grads, strict=True):
        torch.testing.assert_close(own, plain_one)


def test_nothing_but_the_factors_is_trained(tiny_base: BaseModel) -> None:
    model = adapted(tiny_base)
    names = [name for name, _ in lora.factors(model)]
    assert len(names) == 2 * 2 * 2  # layers, targets, factors
    assert all(name.endswith(("lora_A", "lora_B")) for name in names)


def test_an_adapter_begins_without_effect(tiny_base: BaseModel) -> None:
    plain = AutoModelForCausalLM.from_pretrained(tiny_base.path, dtype=torch.float32)
    ids = torch.arange(20)[None]
    expected = plain(ids).logits.detach()
    lora.attach(plain, SHAPE)
    assert torch.equal(plain(ids).logits, expected)


def test_peft_reads_what_is_written(tiny_base: BaseModel, tmp_path: Path) -> None:
    model = adapted(tiny_base).eval()
    lora.save(model, SHAPE, tmp_path, dtype=torch.float32)
    base = AutoModelForCausalLM.from_pretrained(tiny_base.path, dtype=torch.float32)
    tuned = PeftModel.from_pretrained(base, str(tmp_path)).eval()
    ids = torch.arange(20)[None]
    torch.testing.assert_close(tuned(ids).logits, model(ids).logits, rtol=1e-5, atol=1e-6)


def test_training_goes_on_from_a_written_adapter(tiny_base: BaseModel, tmp_path: Path) -> None:
    model = adapted(tiny_base)
    lora.save(model, SHAPE, tmp_path, dtype=torch.float32)
    other = adapted(tiny_base, seed=9)
    lora.load(other, tmp_path)
    for (name, own), (_, theirs) in zip(lora.factors(other), lora.factors(model), strict=True):
        assert torch.equal(own, theirs), name


def test_an_adapter_of_another_shape_is_refused(tiny_base: BaseModel, tmp_path: Path) -> None:
    lora.save(adapted(tiny_base), SHAPE, tmp_path, dtype=torch.float32)
    model = AutoModelForCausalLM.from_pretrained(tiny_base.path, dtype=torch.float32)
    lora.attach(model, LoraShape(rank=2, alpha=4, dropout=0, targets=("q_proj",)))
    with pytest.raises(InvalidInput, match="set rank and targets as its manifest says"):
        lora.load(model, tmp_path)


def test_a_target_that_is_not_there_is_refused(tiny_base: BaseModel) -> None:
    model = AutoModelForCausalLM.from_pretrained(tiny_base.path, dtype=torch.float32)
    with pytest.raises(InvalidInput, match=r"expected targets among .*q_proj.*, was: w_proj"):
        lora.attach(model, LoraShape(2, 4, 0, ("q_proj", "w_proj")))


@pytest.mark.parametrize(("alpha", "fits"), [(64, True), (32, False)])
def test_an_adapter_is_gone_on_from_with_its_own_alpha(
    tiny_base: BaseModel, tmp_path: Path, alpha: int, fits: bool
) -> None:
    identity = random_adapter(tiny_base, tmp_path, 1)  # of rank 4 and alpha 64
    targets = ("q_proj", "v_proj", "o_proj")
    settings = TrainingSettings(
        base=str(tiny_base.path),
        sources={"towns": 1.0},
        start=tmp_path / identity,
        lora=LoraSettings(rank=4, alpha=alpha, targets=targets),
    )
    if fits:
        adapted_model(settings, tiny_base)
        return
    with pytest.raises(InvalidInput, match="alpha 32 to start from"):
        adapted_model(settings, tiny_base)
