"""Adapters at serving: which one answers a task, and that it is loaded before it must.

A setting pins it, otherwise it is the promoted one, read anew for every request: a promotion is
live for the next. Knows no HTTP and no Ray.
"""

import asyncio
from pathlib import Path

from services.settings import Settings
from wraner import promotions, weights
from wraner.adapters import (
    CONFIG,
    MANIFEST,
    MODEL_TASKS,
    WEIGHTS,
    AdapterManifest,
    Task,
    newest,
    read_adapter,
)
from wraner.engine import Engine, ScoreRequest
from wraner.errors import NotFound, Unavailable
from wraner.fusion import Fusion
from wraner.promotions import Source
from wraner.prompts import NO, YES, Prompt

FOLLOW, NONE = "", "none"

_PINS = {Task.NER: "WRANER_EXTRACT_ADAPTER", Task.MODERATION: "WRANER_MODERATE_ADAPTER"}
_Stamp = tuple[tuple[int, int, int], ...]

_WARMING = Prompt("Answer yes or no.", (), "Is it so?")


class AdapterChoice:
    """Says which adapter answers a task of the language model."""

    def __init__(self, settings: Settings) -> None:
        self._adapters: Path = settings.state_dir / "adapters"
        self._settings = settings
        self._ships: dict[Task, str] = {}
        self._read: dict[str, tuple[_Stamp, AdapterManifest | str]] = {}

    def of(self, task: Task) -> str:
        """Return an adapter's content hash, "" for the base model alone.

        What ships was trained for the bundled model: with another one it is not followed.

        Raises:
            Unavailable: the task's pointer is damaged, or what is pinned is for another task.
        """
        pinned = self._pinned(task)
        if pinned == NONE:
            return ""
        if pinned != FOLLOW:
            self._check_task(task, pinned)
            return pinned
        history = promotions.history(self._adapters, task)
        if not history:
            return ""
        last = history[-1]
        if last.source is Source.SHIPPED:
            # Another release may start beside this one and point to what ships with it.
            return self._shipped(task, last.adapter) if self._is_bundled else ""
        ships = (self._settings.adapters_dir / task / last.adapter).is_dir()  # a user chose it
        return last.adapter if self._is_bundled or not ships else ""

    @property
    def _is_bundled(self) -> bool:
        return self._settings.base_model == weights.BUNDLED

    def _shipped(self, task: Task, otherwise: str) -> str:
        """Return the hash of what ships for a task, where it is stored; to read it takes a second.

        It is not stored where the state folder could not be written to.
        """
        if task not in self._ships:
            self._ships[task] = newest(self._settings.adapters_dir / task)
        ships = self._ships[task]
        return ships if ships and (self._adapters / ships).is_dir() else otherwise

    def calibration(self, identity: str) -> Fusion | None:
        """Return how the answers of an adapter become scores; None where nothing was fitted.

        It was fitted with the encoder and its tuning that ship: with others it is not used. One
        that is fitted while this serves is live for the next request.
        """
        retrieval = (self._settings.encoder, self._settings.policy_adapter)
        if not identity or retrieval != (weights.BUNDLED, weights.BUNDLED):
            return None
        try:
            return self._manifest(identity).calibration
        except NotFound:  # pinned, and missing: the engine says so
            return None

    async def warm(self, engine: Engine) -> None:
        """Have `engine` load what it would be asked for next. Raises as `Engine.score` does."""
        chosen = await asyncio.to_thread(lambda: dict.fromkeys(map(self.of, MODEL_TASKS)))
        loaded = {"", *(await engine.info()).adapters}
        requests = [ScoreRequest(_WARMING, (YES, NO), adapter=a) for a in chosen if a not in loaded]
        if requests:
            await engine.score(requests)

    def _check_task(self, task: Task, pinned: str) -> None:
        """Refuse an adapter of another task.

        One that is missing or damaged is left to the engine, which says so.
        """
        try:
            manifest = self._manifest(pinned)
        except (NotFound, Unavailable):
            return
        if manifest.task != task:
            raise Unavailable(
                f"expected an adapter for {task}, was: {pinned[:16]}, which is one for "
                f"{manifest.task}; name one for {task} ({_PINS[task]}, --adapter), or none"
            )

    def _manifest(self, identity: str) -> AdapterManifest:
        """Return an adapter's manifest, read anew where its files changed: it takes a second.

        Raises:
            NotFound: there is none of that hash.
            Unavailable: it is damaged.
        """
        stamp = _stamp(self._adapters / identity)
        before, found = self._read.get(identity, (None, ""))
        if before != stamp:
            found = self._read_anew(identity)
            self._read[identity] = stamp, found
        if isinstance(found, str):
            raise Unavailable(found)
        return found

    def _read_anew(self, identity: str) -> AdapterManifest | str:
        """Return an adapter's manifest, or how it is damaged; raises what may pass by itself."""
        try:
            return read_adapter(self._adapters, identity)
        except Unavailable as error:
            if isinstance(error.__cause__, OSError):
                raise
            return str(error)

    def _pinned(self, task: Task) -> str:
        if task is Task.NER:
            return self._settings.extract_adapter
        return self._settings.moderate_adapter


def _stamp(folder: Path) -> _Stamp:
    """Return what changes where a file of an adapter does."""
    return tuple(_file_stamp(folder / name) for name in (MANIFEST, CONFIG, WEIGHTS))


def _file_stamp(file: Path) -> tuple[int, int, int]:
    try:
        found = file.stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_mtime_ns, found.st_size
