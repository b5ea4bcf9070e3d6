"""What a tuning of the word encoder is: every setting, frozen, documented, read from a YAML file.

Knows no data and no model.
"""

import hashlib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from training.settings import Amount, Count, Rate, Share
from training.settings_file import read_settings_file

Positive = Annotated[float, Field(gt=0)]


class WordSettings(BaseModel):
    """A whole tuning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    encoder: str = "bundled"
    """The encoder that is tuned: bundled, or a folder."""
    layer: Count = 5
    """Its layers below and including this one are tuned; the others are left away."""
    rank: Count = 32
    """Rank of the two factors that are trained beside each linear layer."""
    alpha: Count = 64
    """The factors' product is scaled by alpha / rank."""
    steps: Count = 300
    """Updates in all."""
    sentences: Annotated[int, Field(ge=2)] = 48
    """A step compares the words of so many sentences of one source, or of all if it has fewer."""
    learning_rate: Rate = 1e-3
    """The highest, at the end of the warm-up."""
    letter_case_rate: Rate = 3.0
    """The table for letter case learns faster by this factor."""
    warm_up: Share = 0.05
    """Share of the steps in which the rate grows linearly from nothing."""
    final_rate: Share = 0.05
    """Where the cosine ends, as a share of the highest."""
    weight_decay: Amount = 0.01
    """AdamW's pull of what is trained towards nothing."""
    clip_norm: Positive = 1.0
    """The gradient's norm is cut to this."""
    temperature: Rate = 0.08
    """A word less similar by this much counts less as a neighbour by the factor e."""
    split_types: Share = 0.5
    """Probability that a type's mentions in a step are parted into pseudo-types, see
    `word_splits`: what tells politicians from athletes is then not forgotten."""
    split_layer: Count = 4
    """Of the untuned encoder, the layer that tells which mentions are alike."""
    longest_words: Count = 64
    """Sentences of more words and marks are left out."""
    longest_subwords: Count = 126
    """Sentences of more subwords are left out; a batch is as wide as its longest."""
    sources: dict[str, Positive] = Field(min_length=1)
    """The source corpora and how often each is drawn, as weights."""
    source_file: Path | None = None
    """Where the sources are configured; by default the ones that ship with the project."""
    held_out: tuple[Path, ...] = ()
    """Files, from the data root, with which no training sentence may share 8 words in a row."""
    seed: int = Field(default=0, ge=0)
    """Decides about everything that is drawn."""

    @property
    def identity(self) -> str:
        """A hash of all settings."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:16]


def read_word_settings(file: Path) -> WordSettings:
    """Read a tuning's settings.

    Raises:
        InvalidInput: the file cannot be read, or names the field that is wrong.
    """
    return read_settings_file(file, WordSettings, named="word encoder settings")
