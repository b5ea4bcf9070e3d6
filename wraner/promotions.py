"""Promotions: which adapter answers each task, by a pointer with its history.

    <adapters>/<task>.json       the promotions so far, the current one last; flipped whole
    <adapters>/<task>.json.lock  held by whoever changes it

A reader resolves a task to an adapter once and passes its hash on. Knows no loaded model.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from wraner.adapters import Task, read_adapter, stored
from wraner.errors import InvalidInput, NotFound, Stale, Unavailable
from wraner.pointer import Pointer

_FROZEN = ConfigDict(frozen=True, extra="forbid")
# The pointer is read for every request; who was current longer ago is of no use.
_REMEMBERED = 50


class Source(StrEnum):
    """Who made an adapter the current one."""

    USER = "user"
    SHIPPED = "shipped"


class Promotion(BaseModel):
    """An adapter made the current one of a task."""

    model_config = _FROZEN

    adapter: str
    """Its content hash; "": the base model alone, or the word tuning that ships."""
    source: Source
    """Who did it; one by a user is never replaced by what ships."""
    at: datetime
    """When, in UTC."""


class _History(BaseModel):
    """What the pointer's file holds."""

    model_config = _FROZEN

    promotions: tuple[Promotion, ...] = Field(min_length=1)


def current(adapters: Path, task: Task) -> str:
    """Return the hash of the adapter that answers `task`, "" where none was promoted.

    Raises:
        Unavailable: the pointer is damaged.
    """
    found = history(adapters, task)
    return found[-1].adapter if found else ""


def history(adapters: Path, task: Task) -> tuple[Promotion, ...]:
    """Return the promotions of a task, the current one last, none where there was none.

    Raises:
        Unavailable: the pointer is damaged.
    """
    pointer = _pointer(adapters, task)
    try:
        return _History.model_validate_json(pointer.read()).promotions
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        raise Unavailable(
            f"{pointer.file.name} among the adapters is damaged ({type(error).__name__}); remove "
            f"it and promote an adapter again: wraner adapters promote HASH"
        ) from error


def promote(
    adapters: Path, task: Task, identity: str, *, expected: str, source: Source = Source.USER
) -> None:
    """Make `identity` the adapter of `task`, if the current one is still `expected` ("": none).

    Raises:
        NotFound: there is no such adapter.
        InvalidInput: it was trained for another task.
        Unavailable: it is damaged, or the pointer is.
        Stale: another adapter is the current one by now; nothing has changed.
    """
    manifest = read_adapter(adapters, identity)
    if manifest.task != task:
        raise InvalidInput(
            f"expected an adapter for {task}, was: {identity[:16]} for {manifest.task}; promote it "
            f"for {manifest.task}"
        )
    pointer = _pointer(adapters, task)
    with pointer.locked():
        before = history(adapters, task)
        found = before[-1].adapter if before else ""
        _check_unchanged(task, found, expected, doing="promotion")
        kept = before[:-1] if found == identity else before
        _flip(pointer, (*kept, _promotion(identity, source)))


def rollback(
    adapters: Path, task: Task, *, expected: str | None = None, base_sha256: str | None = None
) -> str:
    """Go back to the adapter before the current one; return its hash, "" for none.

    Where `expected` is given, only if the current one is still that; else whichever it is.
    Those that are missing or damaged by now are passed over, and where `base_sha256` is given,
    those of other base weights. A user who takes a promotion of their own back has what was before,
    so that one that ships is followed by later ones; who takes back one that ships has chosen.

    Raises:
        NotFound: nothing was promoted, or all of it was rolled back.
        Unavailable: the pointer is damaged.
        Stale: another adapter is the current one by now; nothing has changed.
    """
    pointer = _pointer(adapters, task)
    with pointer.locked():
        if expected is not None:
            _check_unchanged(task, current(adapters, task), expected, doing="rollback")
        left = _before_current(adapters, task, base_sha256)
        adapter = left[-1].adapter if left else ""
        own = history(adapters, task)[-1].source is Source.USER
        source = left[-1].source if left and own else Source.USER
        _flip(pointer, (*left[:-1], _promotion(adapter, source)))
    return adapter


def previous(adapters: Path, task: Task) -> str:
    """Return the hash of the adapter that `rollback` goes back to, "" for none.

    Raises:
        NotFound, Unavailable: as `rollback`.
    """
    left = _before_current(adapters, task)
    return left[-1].adapter if left else ""


def _check_unchanged(task: Task, found: str, expected: str, *, doing: str) -> None:
    if found != expected:
        raise Stale(
            f"the adapter for {task} has changed: expected {expected[:16] or 'none'}, was: "
            f"{found[:16] or 'none'}; look at it and repeat the {doing}"
        )


def _before_current(
    adapters: Path, task: Task, base_sha256: str | None = None
) -> tuple[Promotion, ...]:
    """Return the promotions before the current one, up to the last that can be gone back to."""
    before = history(adapters, task)
    if not before or before[-1].adapter == "":
        raise NotFound(f"there is no adapter for {task} to roll back; none was promoted")
    serving, left = before[-1].adapter, before[:-1]
    while left and (
        left[-1].adapter == serving or not _may_serve(adapters, left[-1].adapter, base_sha256)
    ):
        left = left[:-1]
    return left


def _may_serve(adapters: Path, adapter: str, base_sha256: str | None) -> bool:
    """Return whether an adapter is whole and of the base, if one is given; "" always may."""
    if not adapter:
        return True
    manifest = stored(adapters, adapter)
    return manifest is not None and base_sha256 in (None, manifest.base.sha256)


def _pointer(adapters: Path, task: Task) -> Pointer:
    return Pointer(adapters / f"{task}.json", lock=adapters / f"{task}.json.lock")


def _flip(pointer: Pointer, promotions: Sequence[Promotion]) -> None:
    kept = _History(promotions=tuple(promotions[-_REMEMBERED:]))
    pointer.flip(kept.model_dump_json(indent=2))


def _promotion(adapter: str, source: Source) -> Promotion:
    return Promotion(adapter=adapter, source=source, at=datetime.now(UTC))
