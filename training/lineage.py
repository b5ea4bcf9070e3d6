"""Lineage: what an adapter or a tuning was taught includes what that was which it goes on from.

Whoever reads a manifest or a card sees all data that are in the weights, with their terms. Knows no
training.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ValidationError

from wraner.adapters import MANIFEST, TrainingData
from wraner.errors import InvalidInput

Data = tuple[TrainingData, ...]


class _Taught(BaseModel):
    """What the manifests of adapters and of tunings have in common."""

    data: Data
    parent: str = ""


def inherited(folder: Path | None) -> Data:
    """Return what the adapter or tuning in a folder was taught; nothing where it says nothing.

    So far as they lie beside it, what those were taught is among it from which it came.

    Raises:
        InvalidInput: a manifest is damaged.
    """
    data: Data = ()
    seen = set[Path]()
    while folder is not None and folder not in seen:
        seen.add(folder)
        taught = _taught(folder)
        data = joined(taught.data, data)
        folder = folder.parent / taught.parent if taught.parent else None
    return data


def _taught(folder: Path) -> _Taught:
    manifest = folder / MANIFEST
    try:
        return _Taught.model_validate_json(manifest.read_bytes())
    except FileNotFoundError:
        return _Taught(data=())
    except (OSError, ValidationError) as error:
        raise InvalidInput(
            f"expected what an adapter was taught in {manifest}, was: {error}; restore it"
        ) from error


def joined(before: Data, own: Sequence[TrainingData]) -> Data:
    """Return what was taught before and then what was taught now, each once."""
    return tuple(dict.fromkeys((*before, *own)))
