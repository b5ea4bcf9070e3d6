"""A source of made-up sentences on disk, and settings of a short run on it and the tiny model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from training.settings import (
    LoraSettings,
    OptimiserSettings,
    PromptSettings,
    TrainingSettings,
)
from wraner.weights import BaseModel

TERMS = "made up for tests"
TRAIN_SENTENCES = 32
SHEET = """\
description: Who goes where.
types:
  - {label: PER, name: person, definition: somebody by name}
  - {label: LOC, name: town, definition: a town by name}
"""
SOURCES = f"""\
- {{name: towns, sheet: sheet.yaml, terms: {TERMS}, format: conll, train: [train.conll],
   dev: [dev.conll]}}
"""


def write_towns(folder: Path) -> Path:
    """Write the source and its configuration, the file that is returned, into `folder`."""
    train = _sentences(["Ann", "Bo", "Cem", "Dee"], ["Ulm", "Bonn", "Rome", "Oslo"])
    (folder / "train.conll").write_text("".join(train))
    (folder / "dev.conll").write_text("".join(_sentences(["Eve", "Fay"], ["Hull", "Kyiv"])))
    (folder / "sheet.yaml").write_text(SHEET)
    (folder / "sources.yaml").write_text(SOURCES)
    return folder / "sources.yaml"


def town_settings(base: BaseModel, sources: Path, **changes: Any) -> TrainingSettings:
    """Return settings of a run of four steps."""
    given: dict[str, Any] = {
        "base": str(base.path),
        "dtype": "float32",
        "sources": {"towns": 1.0},
        "source_file": sources,
        "lora": LoraSettings(rank=4, alpha=8),
        "optimiser": OptimiserSettings(
            steps=4, step_tokens=1500, run_tokens=800, learning_rate=0.02, warm_up=0.25
        ),
        "prompts": PromptSettings(questions=1, examples=(0, 1, 1)),
        "evaluate_every": 4,
        "checkpoint_every": 2,
    }
    return TrainingSettings(**given | changes)


def _sentences(people: list[str], towns: list[str]) -> Iterator[str]:
    for person in people:
        for town in towns:
            for verb in ("visits", "leaves"):
                yield f"{person}\tB-PER\n{verb}\tO\n{town}\tB-LOC\nagain\tO\n\n"
