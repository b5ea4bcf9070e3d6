"""Domains written for this project, as sources: many subjects, each with types of its own.

Annotated corpora tell few types apart, and those in every newspaper; a model that is to follow
definitions must meet many. Each folder holds `sheet.yaml` and `train.jsonl`; none is on a subject
of CrossNER's target domains. Knows no model and no prompt.
"""

from pathlib import Path

from training.sources import Source, SourceConfig, read_source
from wraner.formats.choice import Format

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
    config = SourceConfig(
        name=name,
        sheet="sheet.yaml",
        terms=_TERMS,
        format=Format.JSONL,
        train=(Path("train.jsonl"),),
    )
    return read_source(config, data_root=_FOLDER / name)
