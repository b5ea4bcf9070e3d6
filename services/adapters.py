"""Adapters at serving: which one answers a task, and that it is loaded before it must.

A setting pins it, otherwise it is the promoted one, read anew for every request: a promotion is
live for the next. Knows no HTTP and no Ray.
"""

import asyncio
from pathlib import Path

from services.settings import Settings
from wraner import promotions, weights
from wraner.adapters import MODEL_TASKS, Task, read_adapter
from wraner.engine import Engine, ScoreRequest
from wraner.errors import NotFound
from wraner.fusion import Fusion
from wraner.promotions import Source
from wraner.prompts import NO, YES, Prompt

FOLLOW, NONE = "", "none"

_WARMING = Prompt("Answer yes or no.", (), "Is it so?")


class AdapterChoice:
    """Says which adapter answers a task of the language model."""

    def __init__(self, settings: Settings) -> None:
        self._adapters: Path = settings.state_dir / "adapters"
        self._settings = settings
        self._calibrations: dict[str, Fusion | None] = {}

    def of(self, task: Task) -> str:
        """Return an adapter's content hash, "" for the base model alone.

        What ships was trained for the bundled model: with another one it is not followed.

        Raises:
            Unavailable: the task's pointer is damaged.
        """
        pinned = self._pinned(task)
        if pinned != FOLLOW:
            return "" if pinned == NONE else pinned
        history = promotions.history(self._adapters, task)
        if not history:
            return ""
        shipped = history[-1].source is Source.SHIPPED
        if shipped and self._settings.base_model != weights.BUNDLED:
            return ""
        return history[-1].adapter

    def calibration(self, identity: str) -> Fusion | None:
        """Return how the answers of an adapter become scores; None where nothing was fitted.

        It was fitted with the encoder and its tuning that ship: with others it is not used.
        """
        retrieval = (self._settings.encoder, self._settings.policy_adapter)
        if not identity or retrieval != (weights.BUNDLED, weights.BUNDLED):
            return None
        if identity not in self._calibrations:
            try:
                found = read_adapter(self._adapters, identity).calibration
            except NotFound:  # pinned, and missing: the engine says so
                return None
            self._calibrations[identity] = found
        return self._calibrations[identity]

    async def warm(self, engine: Engine) -> None:
        """Have `engine` load what it would be asked for next. Raises as `Engine.score` does."""
        chosen = await asyncio.to_thread(lambda: dict.fromkeys(map(self.of, MODEL_TASKS)))
        loaded = {"", *(await engine.info()).adapters}
        requests = [ScoreRequest(_WARMING, (YES, NO), adapter=a) for a in chosen if a not in loaded]
        if requests:
            await engine.score(requests)

    def _pinned(self, task: Task) -> str:
        if task is Task.NER:
            return self._settings.extract_adapter
        return self._settings.moderate_adapter
