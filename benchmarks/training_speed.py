"""Training against a plain Hugging Face Trainer: the same lessons, adapter and schedule.

The Trainer gets PEFT's LoRA, dynamic padding and prompts one by one, as its documentation does it;
examples in a prompt see those before them on both sides, and only the answer asked for is taught,
so that both minimise the same loss. Their losses are printed side by side.

    python -m benchmarks.training_speed --data ../shared/data --steps 6
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from training import lora
from training.loop import State, StepReport, train
from training.packed import Lesson, Lessons
from training.preparation import Places, prepare
from training.settings import TrainingSettings
from wraner.language_model import dtype_of
from wraner.view import View

GROUPS = 2  # a step: so many instructions, each with the questions of the settings
IGNORED = -100


class Fixed:
    """Lessons drawn beforehand: step `number` teaches the same on both sides."""

    def __init__(self, steps: Sequence[list[Lessons]]) -> None:
        self._steps = steps

    def step(self, number: int, *, tokens: int) -> list[Lessons]:
        """Return a step's lessons."""
        return self._steps[number - 1]


class Losses:
    """Hooks that remember."""

    def __init__(self) -> None:
        self.reports: list[StepReport] = []

    def on_step(self, report: StepReport) -> None:
        """Remember an update."""
        self.reports.append(report)

    def on_evaluated(self, step: int, loss: float) -> None:
        """Not asked for."""

    def on_checkpoint(self, state: State) -> None:
        """Not kept."""


def main() -> None:
    """Train on both sides and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--state", type=Path, default=Path("state"))
    parser.add_argument("--steps", type=int, default=6)
    args = parser.parse_args()
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    settings = _settings(args.steps)
    prepared = prepare(settings, Places(args.state, args.data), say=print)
    run = prepared.run
    steps = [run.drawing.step(n, tokens=1)[:1] for n in range(1, GROUPS * args.steps + 1)]
    paired = [
        [g for part in steps[i : i + GROUPS] for g in part] for i in range(0, len(steps), GROUPS)
    ]
    begun = {name: p.detach().clone() for name, p in lora.factors(run.model)}
    fixed: Any = Fixed(paired)
    heard = Losses()
    train(replace(run, drawing=fixed, dev=None), heard)
    ours = [(r.loss, r.seconds) for r in heard.reports]
    theirs = trainer_steps(prepared.base.path, settings, prepared.shape, begun, paired)
    _show(ours, theirs, [_tokens(step) for step in paired])


def _settings(steps: int) -> TrainingSettings:
    return TrainingSettings.model_validate(
        {
            "sources": {"wikigold": 1, "gum": 1},
            "optimiser": {"steps": steps, "run_tokens": 4096, "warm_up": 0, "final_rate": 1},
            "prompts": {"view": View.SEQUENCE, "shown_weight": 0},
        }
    )


def _tokens(step: Sequence[Lessons]) -> int:
    """Return the tokens of a step's prompts with their answers, each prompt counted whole."""
    return sum(m.prompt.tokens + len(m.answer) for group in step for m in group.members)


def trainer_steps(
    base: Path,
    settings: TrainingSettings,
    shape: lora.LoraShape,
    begun: dict[str, torch.Tensor],
    steps: Sequence[Sequence[Lessons]],
) -> list[tuple[float, float]]:
    """Return loss and seconds of each step of a Hugging Face Trainer."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, Trainer, TrainerCallback, TrainingArguments

    dtype = dtype_of(settings.dtype, "cpu")
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=dtype)
    config = LoraConfig(
        r=shape.rank,
        lora_alpha=shape.alpha,
        target_modules=list(shape.targets),
        task_type="CAUSAL_LM",
    )
    model = get_peft_model(plain, config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                short = name.removeprefix("base_model.model.").replace(".default.weight", "")
                parameter.copy_(begun[short])
    seconds: list[float] = []
    began = time.monotonic()

    class Clock(TrainerCallback):
        def on_step_begin(self, *_: Any, **__: Any) -> None:
            nonlocal began
            began = time.monotonic()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            seconds.append(time.monotonic() - began)

    lessons = [_row(m) for step in steps for group in step for m in group.members]
    size = len(lessons) // len(steps)
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(
            model=model,
            args=TrainingArguments(
                output_dir=folder,
                max_steps=len(steps),
                per_device_train_batch_size=2,
                gradient_accumulation_steps=size // 2,
                learning_rate=settings.optimiser.learning_rate,
                lr_scheduler_type="constant",
                weight_decay=settings.optimiser.weight_decay,
                max_grad_norm=settings.optimiser.clip_norm,
                train_sampling_strategy="sequential",
                logging_steps=1,
                report_to="none",
                save_strategy="no",
                use_cpu=True,
                bf16=False,
                disable_tqdm=True,
            ),
            train_dataset=lessons,  # type: ignore[arg-type]
            data_collator=_padded,
            callbacks=[Clock()],
        )
        trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return list(zip(map(float, losses), seconds, strict=True))


def _row(member: Lesson) -> dict[str, list[int]]:
    asked, answer = list(member.prompt.ids), list(member.answer)
    return {"input_ids": asked + answer, "labels": [IGNORED] * len(asked) + answer}


def _padded(rows: Sequence[dict[str, list[int]]]) -> dict[str, torch.Tensor]:
    longest = max(len(row["input_ids"]) for row in rows)

    def column(name: str, filler: int) -> torch.Tensor:
        return torch.tensor([row[name] + [filler] * (longest - len(row[name])) for row in rows])

    ids = column("input_ids", 0)
    mask = torch.tensor([[i < len(row["input_ids"]) for i in range(longest)] for row in rows])
    return {
        "input_ids": ids,
        "labels": column("labels", IGNORED),
        "attention_mask": mask.long(),
    }


def _show(
    ours: Sequence[tuple[float, float]],
    theirs: Sequence[tuple[float, float]],
    tokens: Sequence[int],
) -> None:
    print("| step | tokens | loss, wraner | loss, Trainer | tokens/s, wraner | Trainer |")
    print("|---|---|---|---|---|---|")
    for number, ((loss, s), (other, t), count) in enumerate(
        zip(ours, theirs, tokens, strict=True), start=1
    ):
        print(
            f"| {number} | {count} | {loss:.4f} | {other:.4f} | {count / s:.0f} | {count / t:.0f} |"
        )
    pace = statistics.median(t / s for (_, s), (_, t) in zip(ours, theirs, strict=True))
    print(f"\nwraner is {pace:.2f} times as fast (median over steps)")


if __name__ == "__main__":
    main()
