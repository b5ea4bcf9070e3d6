"""The retriever's deployment: a shim around whatever retriever it is given. Knows no Ray."""

from collections.abc import Callable, Sequence

from wraner import retrieval
from wraner.retrieval import Evidence, Neighbours, PackRef


class Retriever:
    """Serves a retriever, which is loaded in the replica's own process."""

    def __init__(self, load: Callable[[], retrieval.Retriever]) -> None:
        self._retriever = load()

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        """See `wraner.retrieval.Retriever.neighbours`."""
        return await self._retriever.neighbours(pack, texts, k)

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        """See `wraner.retrieval.Retriever.evidence`."""
        return await self._retriever.evidence(pack, texts, k)
