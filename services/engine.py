"""The engine's deployment: a shim around whatever engine it is given. Knows no Ray."""

from collections.abc import Callable, Sequence
from typing import Protocol

from wraner import engine
from wraner.engine import Answer, GenerateRequest, ModelInfo, ScoreRequest, Scores


class Loaded(engine.Engine, Protocol):
    """An engine in this process, with a beginning and an end."""

    @property
    def alive(self) -> bool:
        """Whether it can still answer."""
        ...

    def close(self) -> None:
        """Stop it."""
        ...


class Engine:
    """Serves an engine, which is loaded in the replica's own process."""

    def __init__(self, load: Callable[[], Loaded]) -> None:
        self._engine = load()

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Answer]:
        """See `wraner.engine.Engine.generate`."""
        return await self._engine.generate(requests)

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        """See `wraner.engine.Engine.score`."""
        return await self._engine.score(requests)

    async def info(self) -> ModelInfo:
        """See `wraner.engine.Engine.info`."""
        return await self._engine.info()

    def check_health(self) -> None:
        """Tell Serve to replace the replica if a thread of its model's has died; asks no model."""
        if not self._engine.alive:
            raise RuntimeError("a thread of the engine has died")

    def __del__(self) -> None:
        loaded = getattr(self, "_engine", None)
        if loaded is not None:
            loaded.close()
