"""Domains written for this project, as sources: many subjects, each with types of its own.

Annotated corpora tell few types apart, and those in every newspaper; a model that is to follow
definitions must meet many. Each folder holds `sheet.yaml` and `train.jsonl`; none is on a subject
of CrossNER's target domains. Knows no model and no prompt.
"""

from pathlib import Path

from training.cleaning import Cleaning
from training.sentences import Sentences
from training.sheets import read_sheet
from training.sources import Source
from wraner.formats.choice import Format, read

_FOLDER = Path(__file__).with_name("domains")
_TERMS = "written for this project, Apache-2.0"


def written_names() -> tuple[str, ...]:
    """Return the domains' names, in alphabetical order."""
    return tuple(sorted(folder.name for folder in _FOLDER.iterdir() if folder.is_dir()))


def written_source(name: str) -> Source:
    """Read one of `written_names`; all of its sentences are there to be trained on.

    Raises:
        InvalidInput: its sheet lacks a label of the data, or a mention cuts a word.
    """
    folder = _FOLDER / name
    sheet = read_sheet(folder / "sheet.yaml")
    cleaning = Cleaning(name, sheet.names)
    with (folder / "train.jsonl").open("rb") as file:
        train = Sentences(cleaning.cleaned(read(file, Format.JSONL, name=name)))
    none = Sentences(())
    return Source(name, sheet, _TERMS, train, none, none, cleaning.left_out)
