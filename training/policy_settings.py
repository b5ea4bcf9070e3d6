"""What a tuning of the encoder for policy sets is: every setting, read from a YAML file.

Knows no data and no model.
"""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from training.judged_texts import JudgedSettings
from training.settings import Amount, Count, Rate, Share
from training.settings_file import read_settings_file

Positive = Annotated[float, Field(gt=0)]


class PolicySettings(BaseModel):
    """A whole tuning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    texts: JudgedSettings = JudgedSettings()
    """What is taught."""
    layer: Count = 6
    """The encoder's layers below and including this one are tuned; the others are left away."""
    rank: Count = 32
    """Rank of the two factors that are trained beside each linear layer."""
    alpha: Count = 64
    """The factors' product is scaled by alpha / rank."""
    steps: Count = 200
    """Updates in all."""
    policies: Count = 12
    """A step draws so many policies, with their own words,"""
    breaching: Count = 3
    """so many texts that breach each of them,"""
    contrasting: Count = 2
    """so many that were collected for it and breach nothing,"""
    others: Count = 16
    """and so many of all that breach something, and of all that breach nothing."""
    learning_rate: Rate = 1e-3
    """The highest, at the end of the warm-up."""
    warm_up: Share = 0.1
    """Share of the steps in which the rate grows linearly from nothing."""
    final_rate: Share = 0.05
    """Where the cosine ends, as a share of the highest."""
    weight_decay: Amount = 0.01
    """AdamW's pull of what is trained towards nothing."""
    clip_norm: Positive = 1.0
    """The gradient's norm is cut to this."""
    temperature: Rate = 0.05
    """A text less similar by this much counts less as a neighbour by the factor e."""
    policy_share: Amount = 0.5
    """How much it counts that neighbours breach the same policy, against 1 for breaching at all."""
    longest_subwords: Count = 96
    """What is longer is cut here in training; a step is as wide as its longest text."""
    seed: int = Field(default=0, ge=0)
    """Decides about everything that is drawn."""


def read_policy_settings(file: Path) -> PolicySettings:
    """Read a tuning's settings.

    Raises:
        InvalidInput: the file cannot be read, or names the field that is wrong.
    """
    return read_settings_file(file, PolicySettings, named="settings")
