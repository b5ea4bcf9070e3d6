"""Judged texts about invented groups, small enough to learn by heart."""

from training.judged_texts import JudgedTexts, TaughtText
from training.settings import (
    JudgementSettings,
    LoraSettings,
    OptimiserSettings,
    PromptSettings,
    TrainingSettings,
)
from wraner.adapters import TrainingData
from wraner.packs import JudgedExample, Policy
from wraner.weights import BaseModel

POLICIES = (
    Policy(
        id="filth",
        title="Filth",
        tier=1,
        definition="Calls people dirt.",
        includes=("calling them mud", "calling them dust"),
        excludes=("real mud",),
    ),
    Policy(id="expel", title="Expel", tier=2, definition="Wants people gone."),
)
_ROWS = (
    ("Zorvians are dirt.", ("filth",), True),
    ("Zorvians are mud and dust.", ("filth",), True),
    ("Zorvians must leave.", ("expel",), True),
    ("Send the Zorvians away.", ("expel",), True),
    ("The road is all mud.", ("filth",), False),
    ("Dust lay on the shelf.", ("filth",), False),
    ("A Zorvian left for work.", ("expel",), False),
    ("We leave on Monday.", ("expel",), False),
)


def taught(text: str, near: tuple[str, ...], breaches: bool, weight: float = 1.0) -> TaughtText:
    example = (
        JudgedExample(text=text, violates=near)
        if breaches
        else JudgedExample(text=text, complies="all")
    )
    return TaughtText(example, near, weight)


TOWNS = JudgedTexts(
    description="Rules of a town.",
    policies=POLICIES,
    train=tuple(taught(*row) for row in _ROWS),
    dev=tuple(taught(f"{text} Indeed.", near, breaches) for text, near, breaches in _ROWS),
    own=(
        taught("Zorvians are just muck.", ("filth",), True),
        taught("Every Zorvian has to go.", ("expel",), True),
        taught("Muck spread on the fields.", ("filth",), False),
        taught("A Zorvian sold me bread.", (), False),
    ),
    data=(
        TrainingData(name="towns", terms="our own", sentences=len(_ROWS)),
        TrainingData(name="own", terms="our own", sentences=4),
    ),
)


def judge_settings(base: BaseModel) -> TrainingSettings:
    """Return settings of a judge's run that stops behind three of six steps."""
    return TrainingSettings(
        base=str(base.path),
        dtype="float32",
        judgements=JudgementSettings(overall_texts=4, policy_texts=4),
        optimiser=OptimiserSettings(steps=6, stop=3, step_tokens=400, run_tokens=400),
        prompts=PromptSettings(shown_weight=0),
        lora=LoraSettings(rank=2, alpha=4),
        evaluate_every=3,
    )
