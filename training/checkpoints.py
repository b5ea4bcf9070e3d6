"""Checkpoints on disk: a folder a step, whole or not there. Knows no model."""

import json
import os
import shutil
import tempfile
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from training.loop import State
from wraner.errors import InvalidInput

_TENSORS, _META = "state.safetensors", "state.json"
KEPT = 2


def write(folder: Path, state: State, *, run: str) -> None:
    """Write a state of run `run` as the whole content of `folder`, an existing empty folder."""
    save_file(state.tensors, folder / _TENSORS)
    meta = {"run": run, "step": state.step, "taught": state.taught}
    (folder / _META).write_text(json.dumps(meta) + "\n")


def read(folder: Path, *, run: str) -> State:
    """Read a state.

    Raises:
        InvalidInput: it is damaged, or belongs to a run with other settings.
    """
    try:
        meta = json.loads((folder / _META).read_text())
        tensors = load_file(folder / _TENSORS)
        found, step, taught = str(meta["run"]), int(meta["step"]), str(meta["taught"])
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise InvalidInput(
            f"the checkpoint {folder} is damaged ({error}); remove it to go on from the one before"
        ) from error
    if found != run:
        raise InvalidInput(
            f"expected a checkpoint of run {run}, was: one of run {found} in {folder}; other "
            "settings make another run, begin it in a folder of its own"
        )
    return State(step, tensors, taught)


def keep(folder: Path, state: State, *, run: str) -> Path:
    """Write a state under its step in `folder`; of the earlier ones only the last is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{state.step:06d}"
    scratch = Path(tempfile.mkdtemp(dir=folder, prefix=".writing-"))
    try:
        write(scratch, state, run=run)
        if target.exists():
            shutil.rmtree(target)
        os.replace(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    for old in _found(folder)[:-KEPT]:
        shutil.rmtree(old)
    return target


def latest(folder: Path, *, run: str) -> State | None:
    """Return the state with the most steps, None where there is none. Raises as `read` does."""
    found = _found(folder)
    return read(found[-1], run=run) if found else None


def _found(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("[0-9]*") if p.is_dir())
