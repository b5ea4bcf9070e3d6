"""A wraner in this process: the server's own API, called without a network.

Settings come from the environment as a server's do; folders that are not named are those in the
repository. The state folder may be a running server's too: packs and indexes are immutable folders
behind pointers that are flipped under file locks. Both must then use the same WRANER_ENCODER, since
a pack is indexed by whoever stores it. The language model and the word encoder are loaded when
something first needs them.
"""

import asyncio
import os
import sys
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, closing
from typing import Generic, TypeVar

import httpx
import structlog
from fastapi import FastAPI

from cli.failures import say
from cli.folders import default_to_repository
from services.api import build_api
from services.loading import (
    gateway_of,
    load_engine,
    load_retriever,
    load_writer,
    pack_store,
    set_environment,
)
from services.settings import Settings, read_settings
from wraner.client.asynchronous import AsyncClient
from wraner.engine import Answer, GenerateRequest, ModelInfo, ScoreRequest, Scores
from wraner.engine import Engine as EngineProtocol
from wraner.registry import missing_shipped
from wraner.retrieval import Evidence, Neighbours, PackRef
from wraner.retrieval import Retriever as RetrieverProtocol

Part = TypeVar("Part")

_ADDRESS = "http://this-process"
_WARNING = 30
_PATIENCE_S = 3600.0


@asynccontextmanager
async def local_client() -> AsyncIterator[AsyncClient]:
    """Yield a client of a wraner that lives as long as the context.

    Raises:
        InvalidInput: a `WRANER_…` variable is wrong.
        Unavailable: weights are missing or damaged.
    """
    default_to_repository()
    settings = read_settings()
    _set_environment(settings)
    with ExitStack() as at_end:

        def loaded_engine() -> EngineProtocol:
            return at_end.enter_context(closing(load_engine(settings)))

        def loaded_retriever() -> RetrieverProtocol:
            return load_retriever(settings, say=say)

        engine = _Once(loaded_engine, "loading the language model")
        retriever = _Once(loaded_retriever, "loading the word encoder")
        if missing_shipped(pack_store(settings), settings.packs_dir):
            await retriever.get()
        gateway = gateway_of(
            _patient(settings),
            engine=_LateEngine(engine),
            retriever=_LateRetriever(retriever),
            writer=load_writer(settings),
        )
        async with client_of(build_api(gateway)) as client:
            yield client


def client_of(api: FastAPI) -> AsyncClient:
    """Return a client of an application in this process."""
    return AsyncClient(_ADDRESS, transport=httpx.ASGITransport(api), timeout_s=_PATIENCE_S)


def _patient(settings: Settings) -> Settings:
    """Return settings that wait an hour where none says how long: weights load within a request."""
    if "request_timeout_s" in settings.limits.model_fields_set:
        return settings
    limits = settings.limits.model_copy(update={"request_timeout_s": _PATIENCE_S})
    return settings.model_copy(update={"limits": limits})


def _set_environment(settings: Settings) -> None:
    """Set what libraries read when they are imported, and send logs where they do no harm."""
    set_environment(settings)
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("TQDM_DISABLE", "1")
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(_WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


class _Once(Generic[Part]):
    """A heavy part that is loaded on first use.

    One part is loaded at a time, since each sets how many threads the process computes with.
    """

    _loading = threading.Lock()

    def __init__(self, load: Callable[[], Part], words: str) -> None:
        self._load = load
        self._words = words
        self._made: Part | None = None

    async def get(self) -> Part:
        """Return the part, loaded on another thread."""
        return self._made if self._made is not None else await asyncio.to_thread(self._make)

    def _make(self) -> Part:
        with self._loading:
            if self._made is None:
                if sys.stderr.isatty():
                    say(self._words)
                self._made = self._load()
            return self._made


class _LateEngine:
    """Implements `wraner.engine.Engine`."""

    def __init__(self, engine: _Once[EngineProtocol]) -> None:
        self._engine = engine

    async def generate(self, requests: Sequence[GenerateRequest]) -> list[Answer]:
        return await (await self._engine.get()).generate(requests)

    async def score(self, requests: Sequence[ScoreRequest]) -> list[Scores]:
        return await (await self._engine.get()).score(requests)

    async def info(self) -> ModelInfo:
        return await (await self._engine.get()).info()


class _LateRetriever:
    """Implements `wraner.retrieval.Retriever`."""

    def __init__(self, retriever: _Once[RetrieverProtocol]) -> None:
        self._retriever = retriever

    async def neighbours(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Neighbours]:
        return await (await self._retriever.get()).neighbours(pack, texts, k)

    async def evidence(self, pack: PackRef, texts: Sequence[str], k: int) -> list[Evidence]:
        return await (await self._retriever.get()).evidence(pack, texts, k)
