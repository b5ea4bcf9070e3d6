"""An engine that remembers what it was asked, and a retriever that leaves a text itself out.

For `benchmarks.engines_own`: the pipelines do what they always do, and their prompts come to light.
"""

from collections.abc import Mapping, Sequence

from index.local import LocalRetriever
from wraner.engine import Answer, Engine, GenerateRequest, ModelInfo, ScoreRequest, Scores
from wraner.retrieval import Evidence, Neighbours, PackRef


class Recorder:
    """An engine that passes everything on and remembers what it was asked and what it wrote."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.written: list[tuple[GenerateRequest, Answer]] = []
        self.scored: list[ScoreRequest] = []

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Answer]:
        """See `Engine.generate`."""
        answers = await self._engine.generate(requests)
        self.written += zip(requests, answers, strict=True)
        return answers

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        """See `Engine.score`."""
        self.scored += requests
        return await self._engine.score(requests)

    async def info(self) -> ModelInfo:
        """See `Engine.info`."""
        return await self._engine.info()


class LeavingOut:
    """A retriever that does not return the example that is itself the text."""

    def __init__(self, retriever: LocalRetriever, own: Mapping[str, str]) -> None:
        """`own` gives the id of the example that a text is."""
        self._retriever = retriever
        self._own = own

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        """See `Retriever.neighbours`."""
        return await self._retriever.neighbours(pack, texts, k)

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        """See `Retriever.evidence`."""
        left_out = [{self._own[t]} if t in self._own else () for t in texts]
        return await self._retriever.evidence(pack, texts, k, exclude=left_out)
