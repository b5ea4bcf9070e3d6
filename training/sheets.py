"""Written definitions of a data set's types, so that a model is tuned to follow words.

A sheet says of each label in the data what prompts call it, what it means in that corpus, and in
which other words both may be said. Sheets ship as `sheets/*.yaml`; others are read from a path.
Knows no data and no prompt.
"""

from collections import Counter
from pathlib import Path
from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from training.settings_file import read_settings_file
from wraner.errors import InvalidInput
from wraner.packs import EntityType, Label, Words

SHEETS = Path(__file__).with_name("sheets")
_ENDING = ".yaml"


class TypeSheet(BaseModel):
    """One type of a corpus, as the data and as prompts name it.

    `paraphrases` say the definition in other words, `synonyms` the name. A type may go without a
    definition, as in a pack: a prompt then has its name alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: Label
    name: Label
    definition: Words = ""
    paraphrases: tuple[Words, ...] = ()
    synonyms: tuple[Label, ...] = ()


class Sheet(BaseModel):
    """What the texts of a corpus are, and its types.

    No label stands twice, nor any name or synonym: an answer names one type.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    description: Words
    types: tuple[TypeSheet, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_unique(self) -> Self:
        labels = Counter(t.label for t in self.types)
        names = Counter(n.casefold() for t in self.types for n in (t.name, *t.synonyms))
        for kind, counts in (("labels", labels), ("names and synonyms", names)):
            twice = [value for value, count in counts.items() if count > 1]
            if twice:
                raise ValueError(f"expected unique {kind}, was twice: {', '.join(twice)}")
        return self

    @property
    def entity_types(self) -> tuple[EntityType, ...]:
        """The types as a prompt states them, in their written order."""
        return tuple(EntityType(name=t.name, definition=t.definition) for t in self.types)

    @property
    def names(self) -> dict[str, str]:
        """The name of each label."""
        return {t.label: t.name for t in self.types}


def read_sheet(file: Path) -> Sheet:
    """Read a sheet from a YAML file.

    Raises:
        InvalidInput: the file cannot be read or breaks a rule; names the file and the field.
    """
    return read_settings_file(file, Sheet, named="types (a sheet)")


def shipped_sheet(name: str) -> Sheet:
    """Read the sheet of that name among those that ship.

    Raises:
        InvalidInput: none has that name; lists those that ship.
    """
    shipped = sorted(f.stem for f in SHEETS.glob(f"*{_ENDING}"))
    if name not in shipped:
        raise InvalidInput(
            f"expected the name of a shipped sheet ({', '.join(shipped)}), was: {name!r}; "
            f"take one of these, or give the path of a {_ENDING} file"
        )
    return read_sheet(SHEETS / f"{name}{_ENDING}")
