"""The Serve application: which parts there are, how many of each, on what resources.

The only file that names replicas and resources. `serve run services.app:build` takes AppArgs as
`name=value`; `main` passes them on a laptop.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from ray import serve

from services.api import build_api
from services.engine import Engine, Loaded
from services.handles import RemoteEngine, RemoteRetriever, RemoteWriter
from services.loading import (
    gateway_of,
    load_engine_logged,
    load_retriever_logged,
    load_writer,
)
from services.logs import log_as_json
from services.retriever import Retriever
from services.settings import Settings
from services.traffic import Meter
from services.writer import Writer
from wraner import retrieval


class AppArgs(BaseModel):
    """How the application is spread over a cluster; changing any of it restarts every replica."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: Settings = Field(default_factory=Settings)
    """Everything else; read from `WRANER_…` variables unless given."""
    gateway_replicas: int = Field(1, ge=1)
    """Gateways; each takes requests of its own."""
    gateway_cpus: float = Field(0.1, ge=0)
    """Cores that each gateway reserves."""
    retriever_replicas: int = Field(1, ge=1)
    """Retrievers; each holds the word encoder and opens the index."""
    retriever_cpus: float = Field(0.5, ge=0)
    """Cores that each retriever reserves."""
    engine_replicas: int = Field(1, ge=1)
    """Engines; each holds the language model."""
    engine_cpus: float = Field(1.0, ge=0)
    """Cores that each engine reserves."""
    engine_gpus: float = Field(0.0, ge=0)
    """GPUs that each engine reserves."""


def build(args: AppArgs) -> serve.Application:
    """Return the application."""
    settings = args.settings.at_absolute_paths()
    return wire(
        args,
        load_engine=partial(load_engine_logged, settings),
        load_retriever=partial(load_retriever_logged, settings),
        load_writer=partial(load_writer, settings),
    )


def wire(
    args: AppArgs,
    *,
    load_engine: Callable[[], Loaded],
    load_retriever: Callable[[], retrieval.Retriever],
    load_writer: Callable[[], Writer],
) -> serve.Application:
    """Bind the deployments to each other; each loads its heavy part in its own process."""
    settings = args.settings.at_absolute_paths()
    # The engine's own queue counts tokens and the gateway's answers with a problem, as Serve's
    # would not; Serve's bounds only keep those two from being bypassed.
    bounds = {
        "max_ongoing_requests": settings.gateway_queue,
        "max_queued_requests": settings.gateway_queue,
    }
    engine = _deployment(
        Engine,
        settings,
        num_replicas=args.engine_replicas,
        ray_actor_options={"num_cpus": args.engine_cpus, "num_gpus": args.engine_gpus},
        **bounds,
    ).bind(load_engine)
    retriever = _deployment(
        Retriever,
        settings,
        num_replicas=args.retriever_replicas,
        ray_actor_options={"num_cpus": args.retriever_cpus},
        **bounds,
    ).bind(load_retriever)
    writer = _deployment(
        WriterReplica,
        settings,
        name="Writer",
        num_replicas=1,
        ray_actor_options={"num_cpus": args.gateway_cpus},
        **bounds,
    ).bind(load_writer)
    application: serve.Application = _deployment(
        GatewayReplica,
        settings,
        name="Gateway",
        num_replicas=args.gateway_replicas,
        ray_actor_options={"num_cpus": args.gateway_cpus},
        max_ongoing_requests=2 * settings.gateway_queue,
    ).bind(settings, engine, retriever, writer)
    return application


def _deployment(kind: type, settings: Settings, **options: Any) -> Any:
    deployment: Any = serve.deployment
    return deployment(
        kind,
        graceful_shutdown_timeout_s=settings.shutdown_s,
        graceful_shutdown_wait_loop_s=0.5,
        **options,
    )


class WriterReplica:
    """The writer's deployment."""

    def __init__(self, load: Callable[[], Writer]) -> None:
        log_as_json()
        self._writer = load()

    async def change(self, verb: str, *arguments: Any) -> Any:
        """Do one of the writer's verbs."""
        verbs: dict[str, Callable[..., Awaitable[Any]]] = {
            "put": self._writer.put,
            "add": self._writer.add,
            "remove": self._writer.remove,
            "delete": self._writer.delete,
        }
        return await verbs[verb](*arguments)


@serve.ingress()
class GatewayReplica:
    """The gateway's deployment: the API around a gateway whose parts are handles."""

    def __init__(self, settings: Settings, engine: Any, retriever: Any, writer: Any) -> None:
        log_as_json()
        self._meter = Meter(serve.get_replica_context().replica_tag)
        self._gateway = gateway_of(
            settings,
            engine=RemoteEngine(engine),
            retriever=RemoteRetriever(retriever),
            writer=RemoteWriter(writer),
        )

    def __serve_build_asgi_app__(self) -> FastAPI:
        return build_api(self._gateway, self._meter, echoed=True)

    async def drain(self) -> None:
        """Refuse new requests and return when those under way are answered."""
        self._meter.draining = True
        while self._meter.running:
            await asyncio.sleep(0.05)
