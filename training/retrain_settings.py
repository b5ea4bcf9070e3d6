"""How a stored domain is trained on: what ships, with what a user says otherwise.

Knows no data and no model.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from training.settings import TrainingSettings
from training.settings_file import checked, read_yaml
from training.word_settings import WordSettings
from wraner.errors import InvalidInput

SHIPPED = Path(__file__).with_name("retrain.yaml")

Count = Annotated[int, Field(ge=1)]


class RetrainSettings(BaseModel):
    """A whole retraining: what is trained how, and how it is judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pack_share: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """Share of the steps, or prompts, that are about the pack; the others replay the sources."""
    folds: Annotated[int, Field(ge=2)] = 3
    """Without test sentences, so many parts of the pack: each is asked of a training without it."""
    elsewhere_sentences: Count = 200
    """Test sentences of each source, a fixed sample, that show what was forgotten."""
    elsewhere_examples: Count = 200
    """Sentences of each source that may be retrieved for them."""
    k: Annotated[int, Field(ge=0, le=64)] = 5
    """Examples retrieved a sentence when judging the language model."""
    words: WordSettings
    """The tuning of the word encoder; its sources are what is replayed. Rank, alpha and layer are
    those of the tuning that it goes on from."""
    model: TrainingSettings
    """The training of the language model's adapter; its sources are what is replayed. With an
    adapter to go on from, its rank, alpha and targets are that adapter's."""


def read_retrain_settings(own: Path | None = None, *, base: str) -> RetrainSettings:
    """Read what ships, with the fields of the file `own` in their places; see `layered`.

    `base` is the base model where no file names one.

    Raises:
        InvalidInput: a file cannot be read, or names the field that is wrong.
    """
    content: Mapping[str, Any] = {"model": {"base": base}}
    for file in (SHIPPED,) if own is None else (SHIPPED, own):
        content = layered(content, _read(file))
    return checked(content, RetrainSettings, file=own or SHIPPED)


def layered(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of both; of two values `above`'s, of two groups of fields both again.

    Sources are one value, not a group: who names sources means these and no others.
    """
    joined = dict(below)
    for name, value in above.items():
        old = joined.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and name != "sources":
            joined[name] = layered(old, value)
        else:
            joined[name] = value
    return joined


def _read(file: Path) -> Mapping[str, Any]:
    content = read_yaml(file, named="retraining settings")
    if not isinstance(content, Mapping):
        raise InvalidInput(f"{file}: expected fields such as pack_share, was: {content!r}")
    return content
