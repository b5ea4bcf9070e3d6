"""What the screen turns: eight factors, each of one or two settings, at a low and a high level.

Low switches a regulariser off. High is its default, or, where that is off too, a strength at which
it could help. Knows no data and no design.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.settings import TrainingSettings


@dataclass(frozen=True, slots=True)
class Dial:
    """One field of a section of the settings, with its value at either level."""

    section: str
    field: str
    low: Any
    high: Any


@dataclass(frozen=True, slots=True)
class Factor:
    """Dials that are turned together."""

    name: str
    dials: tuple[Dial, ...]

    def at(self, level: int, settings: TrainingSettings) -> TrainingSettings:
        """Return settings with this factor at a level: -1 low, 1 high."""
        content = settings.model_dump()
        for dial in self.dials:
            content[dial.section][dial.field] = dial.high if level > 0 else dial.low
        return TrainingSettings.model_validate(content)


def _regulariser(name: str, **high: float) -> Factor:
    return Factor(name, tuple(Dial("regularisers", f, 0.0, value) for f, value in high.items()))


FACTORS = (
    _regulariser("types masked", mask_types=0.5),
    _regulariser("types renamed", synonyms=0.3, letters=0.15),
    _regulariser("definitions paraphrased", paraphrases=0.5),
    _regulariser("definitions dropped", undefined=0.2),
    Factor(
        "number of examples varied",
        (Dial("prompts", "examples", (0, 0, 0, 0, 0, 1), (1, 1, 1, 2, 2, 4)),),
    ),
    _regulariser("examples spoilt", irrelevant=0.1, mistagged=0.05),
    _regulariser("noise on embeddings", embedding_noise=5.0),
    Factor(
        "dropout and weight decay",
        (Dial("lora", "dropout", 0.0, 0.1), Dial("optimiser", "weight_decay", 0.0, 0.1)),
    ),
)

UNSCREENED = (
    Factor(
        "order shuffled",
        (
            Dial("regularisers", "shuffle_types", 0.0, 1.0),
            Dial("regularisers", "shuffle_examples", 0.0, 0.1),
        ),
    ),
    Factor("shown answers counted", (Dial("prompts", "shown_weight", 0.0, 0.5),)),
    _regulariser("doubted examples removed", drop_doubted=0.2),
)
"""Not screened, since the design has room for eight factors; confirmed like them."""


def settings_at(levels: Sequence[int], settings: TrainingSettings) -> TrainingSettings:
    """Return settings with every factor at its level: -1 low, 1 high."""
    for factor, level in zip(FACTORS, levels, strict=True):
        settings = factor.at(level, settings)
    return settings
