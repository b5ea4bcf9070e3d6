"""Handles: the protocols of `wraner` and `ports` over Ray Serve deployments.

Cancels the remote call when the local one is cancelled, and raises the replica's own error. The
only file inside the gateway that knows Ray.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from services.conditions import Condition
from services.ports import Written
from wraner.engine import Answer, GenerateRequest, ModelInfo, ScoreRequest, Scores
from wraner.packs import Example, Pack
from wraner.registry import Kind
from wraner.retrieval import Evidence, Neighbours, PackRef


class RemoteEngine:
    """An engine in other processes; implements `wraner.engine.Engine`."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Answer]:
        """See `Engine.generate`."""
        answers: list[Answer] = await _call(self._handle.generate, list(requests))
        return answers

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        """See `Engine.score`."""
        scores: list[Scores] = await _call(self._handle.score, list(requests))
        return scores

    async def info(self) -> ModelInfo:
        """See `Engine.info`."""
        info: ModelInfo = await _call(self._handle.info)
        return info


class RemoteRetriever:
    """A retriever in other processes; implements `wraner.retrieval.Retriever`."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        """See `Retriever.neighbours`."""
        found: list[Neighbours] = await _call(self._handle.neighbours, pack, list(texts), k)
        return found

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        """See `Retriever.evidence`."""
        found: list[Evidence] = await _call(self._handle.evidence, pack, list(texts), k)
        return found


class RemoteWriter:
    """A writer in another process; implements `ports.PackWriter`."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    async def put(self, name: str, pack: Pack, condition: Condition) -> Written:
        """See `PackWriter.put`."""
        done: Written = await _call(self._handle.change, "put", name, pack, condition)
        return done

    async def add(
        self, kind: Kind, name: str, examples: Sequence[Example], condition: Condition
    ) -> Written:
        """See `PackWriter.add`."""
        done: Written = await _call(
            self._handle.change, "add", kind, name, list(examples), condition
        )
        return done

    async def remove(self, kind: Kind, name: str, example_id: str, condition: Condition) -> Written:
        """See `PackWriter.remove`."""
        done: Written = await _call(
            self._handle.change, "remove", kind, name, example_id, condition
        )
        return done

    async def delete(self, kind: Kind, name: str, condition: Condition) -> None:
        """See `PackWriter.delete`."""
        await _call(self._handle.change, "delete", kind, name, condition)


async def _call(method: Any, *arguments: Any) -> Any:
    response = method.remote(*arguments)
    try:
        return await response
    except asyncio.CancelledError:
        response.cancel()
        raise
    except Exception as error:
        # Ray wraps what a replica raised; who called wants to see that itself.
        cause = getattr(error, "cause", None)
        if isinstance(cause, Exception):
            raise cause from None
        raise
