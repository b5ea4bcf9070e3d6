"""The benchmark's two sides minimise the same loss: their curves agree in fp32."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.training_speed import Fixed, Losses, trainer_steps
from training import lora
from training.loop import Run, train
from training.settings import OptimiserSettings, PromptSettings, TrainingSettings
from wraner.view import View
from wraner.weights import BaseModel


@pytest.mark.filterwarnings("ignore")  # the Trainer's own
def test_a_plain_trainer_has_the_same_losses(
    begin: Callable[..., Run], tiny_base: BaseModel
) -> None:
    settings = TrainingSettings(
        sources={"towns": 1.0},
        dtype="float32",
        optimiser=OptimiserSettings(steps=3, warm_up=0, final_rate=1, learning_rate=0.01),
        prompts=PromptSettings(view=View.SEQUENCE, shown_weight=0, questions=2),
    )
    run = begin(settings)
    steps = [run.drawing.step(number, tokens=1) for number in (1, 2, 3)]
    begun = {name: p.detach().clone() for name, p in lora.factors(run.model)}
    heard = Losses()
    train(replace(run, drawing=Fixed(steps)), heard)  # type: ignore[arg-type]
    targets = {name.split(".")[-2] for name in begun}
    shape = lora.LoraShape(8, 16, 0.0, tuple(sorted(targets)))
    theirs = trainer_steps(tiny_base.path, settings, shape, begun, steps)
    assert [r.loss for r in heard.reports] == pytest.approx([loss for loss, _ in theirs], rel=1e-4)
