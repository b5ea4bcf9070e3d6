"""The HTTP API: routes around a gateway. Knows HTTP; every decision is the gateway's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Match, Mount

from services import openapi, replies, schema
from services.conditions import Condition, condition, etag
from services.drop_in_routes import MODELS, drop_in_routes
from services.drop_in_scores import complaints
from services.gateway import Gateway
from services.ports import Written
from services.problems import answer, explain
from services.reading import known_query, read
from services.traffic import Meter, Traffic
from wraner.errors import InvalidInput
from wraner.packs import Domain, PolicySet
from wraner.registry import Kind, check_name

_MODELS: dict[Kind, tuple[type[BaseModel], ...]] = {
    Kind.DOMAIN: (
        Domain,
        schema.AddTaggedExamples,
        schema.DomainSummary,
        schema.DomainList,
        schema.TaggedExamplePage,
    ),
    Kind.POLICY_SET: (
        PolicySet,
        schema.AddJudgedExamples,
        schema.PolicySetSummary,
        schema.PolicySetList,
        schema.JudgedExamplePage,
    ),
}


def build_api(gateway: Gateway, meter: Meter | None = None, *, echoed: bool = False) -> FastAPI:
    """Return the ASGI application. `echoed`: a server in front returns each request's id."""
    meter = meter or Meter()
    api = FastAPIOffline(
        title="wraner",
        version="1",
        description=openapi.DESCRIPTION,
        openapi_tags=openapi.TAGS,
        swagger_ui_parameters=openapi.PAGE,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=partial(_complaining, gateway),
        middleware=[Middleware(Traffic, meter=meter, echoed=echoed)],
        exception_handlers={
            HTTPException: _explained,
            RequestValidationError: _misread,
        },
    )
    api.include_router(_answering(gateway))
    api.include_router(drop_in_routes(gateway))
    for kind in Kind:
        api.include_router(_packs(gateway, kind))
    api.include_router(_running(gateway, meter))
    extra = (schema.ExtractRequest, schema.ModerateRequest, schema.ExtractResponse)
    models = (schema.ModerateResponse, schema.PackSummary, schema.Problem, schema.Health)
    openapi.complete(api, [*extra, *models, *MODELS, *(m for ms in _MODELS.values() for m in ms)])
    return api


@asynccontextmanager
async def _complaining(gateway: Gateway, api: FastAPI) -> AsyncIterator[None]:
    """Say at a server's start what the drop-in routes could not answer."""
    for complaint in await complaints(gateway):
        structlog.get_logger("wraner.gateway").warning("drop-in not served", error=complaint)
    yield


async def _explained(request: Request, error: Exception) -> Response:
    found = explain(error)
    if found.problem.status == 405:
        found.headers["Allow"] = _allowed(request)
    return answer(found, request.state.request_id, path=request.state.path)


def _allowed(request: Request) -> str:
    """Return the methods of all routes at a path; the error names only those of the first."""
    routes = [r for r in request.app.routes if not isinstance(r, Mount)]  # which takes any
    asked = [(m, {**request.scope, "method": m}) for m in ("DELETE", "GET", "POST", "PUT")]
    found = [m for m, scope in asked if any(r.matches(scope)[0] is Match.FULL for r in routes)]
    # What is mounted are the files beside /docs. Where GET is answered, HEAD is.
    return ", ".join(found or ["GET"]).replace("GET", "GET, HEAD")


async def _misread(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = " ".join(str(step) for step in first["loc"])
    refused = explain(InvalidInput(f"{where}: {first['msg']}"))
    return answer(refused, request.state.request_id, path=request.state.path)


def _json(model: BaseModel, status: int = 200, version: str = "") -> Response:
    headers = {"ETag": etag(version)} if version else None
    return Response(model.model_dump_json(), status, headers, "application/json")


def _written(done: Written) -> Response:
    return _json(replies.written(done), 201 if done.created else 200, done.version)


async def _condition(
    request: Request,
    if_match: Annotated[str | None, Header(description="change only these versions")] = None,
    if_none_match: Annotated[str | None, Header(description="`*`: make, never replace")] = None,
) -> Condition:
    # The parameters are for the document: of a header of several lines they hold the first.
    return condition(_all_lines(request, "If-Match"), _all_lines(request, "If-None-Match"))


def _all_lines(request: Request, header: str) -> str | None:
    lines = request.headers.getlist(header)
    return ", ".join(lines) if lines else None


Conditional = Annotated[Condition, Depends(_condition)]


def _answering(gateway: Gateway) -> APIRouter:
    router = APIRouter(tags=["ask"], dependencies=[known_query()])

    @router.post(
        "/v1/extract",
        openapi_extra=openapi.body(schema.ExtractRequest),
        responses=openapi.answers(schema.ExtractResponse, 200),
    )
    async def extract(request: Request) -> Response:
        """Find the entities of a domain in texts."""
        asked = await read(request, schema.ExtractRequest, gateway.limits)
        return _json(await gateway.extract(asked))

    @router.post(
        "/v1/moderate",
        openapi_extra=openapi.body(schema.ModerateRequest),
        responses=openapi.answers(schema.ModerateResponse, 200),
    )
    async def moderate(request: Request) -> Response:
        """Judge texts against written policies."""
        asked = await read(request, schema.ModerateRequest, gateway.limits)
        return _json(await gateway.moderate(asked))

    return router


def _packs(gateway: Gateway, kind: Kind) -> APIRouter:
    router = APIRouter(prefix=f"/v1/{kind}", tags=[kind])
    _whole_packs(router, gateway, kind)
    _pack_examples(router, gateway, kind)
    return router


def _whole_packs(router: APIRouter, gateway: Gateway, kind: Kind) -> None:
    model, _, summary, listing, _ = _MODELS[kind]
    only = [known_query()]

    @router.get("", responses=openapi.answers(listing, 200), dependencies=only)
    async def list_packs() -> Response:
        """List what is stored, without examples."""
        whole, damaged = await gateway.list_packs(kind)
        field = kind.replace("-", "_")
        return _json(listing(**{field: [replies.summary(s) for s in whole], "damaged": damaged}))

    @router.get("/{name}", responses=openapi.answers(summary, 200, 304), dependencies=only)
    async def read_pack(name: str, expected: Conditional) -> Response:
        """Read the definitions under a name. The ETag is their version."""
        stored = await gateway.pack(kind, name)
        if stored.version in expected.if_none_match or "*" in expected.if_none_match:
            return Response(None, 304, {"ETag": etag(stored.version)})
        return _json(replies.summary(stored), version=stored.version)

    @router.put(
        "/{name}",
        openapi_extra=openapi.body(model),
        responses=openapi.answers(schema.PackSummary, 200, 201),
        status_code=201,
        dependencies=only,
    )
    async def put_pack(name: str, request: Request, expected: Conditional) -> Response:
        """Store definitions and examples, live for the next request."""
        check_name(name)
        pack = await read(request, model, gateway.limits)
        assert isinstance(pack, Domain | PolicySet)
        return _written(await gateway.put(name, pack, expected))

    @router.delete(
        "/{name}", responses=openapi.answers(None, 204), status_code=204, dependencies=only
    )
    async def delete_pack(name: str, expected: Conditional) -> Response:
        """Remove definitions and examples."""
        check_name(name)
        await gateway.delete(kind, name, expected)
        return Response(status_code=204)


def _pack_examples(router: APIRouter, gateway: Gateway, kind: Kind) -> None:
    _, addition, _, _, page = _MODELS[kind]

    @router.get(
        "/{name}/examples",
        responses=openapi.answers(page, 200),
        dependencies=[known_query("limit", "after")],
    )
    async def read_examples(
        name: str, limit: Annotated[int, Query(ge=1, le=1000)] = 100, after: str = ""
    ) -> Response:
        """Read examples in pages. `after` is the last id of the page before."""
        version, found, more = await gateway.examples(kind, name, after=after, limit=limit)
        return _json(page(version=version, examples=found, next=more), version=version)

    @router.post(
        "/{name}/examples",
        openapi_extra=openapi.body(addition),
        responses=openapi.answers(schema.PackSummary, 200, 201),
        status_code=201,
        dependencies=[known_query()],
    )
    async def add_examples(name: str, request: Request, expected: Conditional) -> Response:
        """Add examples. The answer is 200 where all were there already."""
        check_name(name)
        added = await read(request, addition, gateway.limits)
        assert isinstance(added, schema.AddTaggedExamples | schema.AddJudgedExamples)
        return _written(await gateway.add(kind, name, added, expected))

    @router.delete(
        "/{name}/examples/{example_id:path}",
        responses=openapi.answers(schema.PackSummary, 200),
        dependencies=[known_query()],
    )
    async def remove_example(name: str, example_id: str, expected: Conditional) -> Response:
        """Remove an example."""
        check_name(name)
        return _written(await gateway.remove(kind, name, example_id, expected))


def _running(gateway: Gateway, meter: Meter) -> APIRouter:
    router = APIRouter(tags=["run"])

    @router.get("/healthz", responses=openapi.answers(schema.Health, 200))
    async def healthz() -> Response:
        """Tell that the process lives."""
        return _json(schema.Health(status="ok"))

    @router.get("/readyz", responses=openapi.answers(schema.Health, 200, 503))
    async def readyz() -> Response:
        """Tell whether requests can be answered."""
        missing = await gateway.missing()
        health = schema.Health(status="starting" if missing else "ok", detail=missing)
        return _json(health, 503 if missing else 200)

    @router.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Count requests and seconds, for Prometheus."""
        return PlainTextResponse(generate_latest(meter.registry), media_type=CONTENT_TYPE_LATEST)

    return router
