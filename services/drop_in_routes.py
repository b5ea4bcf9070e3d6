"""The routes of other APIs, for clients that move here by changing their base URL.

Credentials are taken and ignored. Errors get those APIs' shapes in `foreign_errors`.
"""

from fastapi import APIRouter, Request
from pydantic import BaseModel
from starlette.responses import JSONResponse, Response

from services import openapi
from services.discovery import VERSION, discovery_document
from services.foreign_errors import OPENAI_PATH, GoogleError, OpenAIError
from services.gateway import Gateway
from services.openai_moderations import (
    ModerationCreateRequest,
    ModerationCreateResponse,
    create_moderation,
)
from services.perspective import (
    AnalyzeCommentRequest,
    AnalyzeCommentResponse,
    analyze_comment,
    refuse_suggestion,
)
from services.reading import known_query, read
from wraner.errors import InvalidInput, NotFound

MODELS: tuple[type[BaseModel], ...] = (
    ModerationCreateRequest,
    ModerationCreateResponse,
    OpenAIError,
    AnalyzeCommentRequest,
    AnalyzeCommentResponse,
    GoogleError,
)
# What Google's clients add to every request; only `alt` could change the answer.
_GOOGLE_NAMES = ("key", "alt", "access_token", "oauth_token", "quotaUser", "prettyPrint", "$.xgafv")
_GOOGLE_QUERY = known_query(*_GOOGLE_NAMES)


def drop_in_routes(gateway: Gateway) -> APIRouter:
    """Return the routes of OpenAI's moderations and of Perspective."""
    router = APIRouter(tags=["drop-in"])
    _moderations(router, gateway)
    _comments(router, gateway)
    return router


def _moderations(router: APIRouter, gateway: Gateway) -> None:
    @router.post(
        OPENAI_PATH,
        openapi_extra=openapi.body(ModerationCreateRequest),
        responses=openapi.answers(ModerationCreateResponse, 200, error=OpenAIError),
        dependencies=[known_query()],
    )
    async def moderations(request: Request) -> Response:
        """Judge texts as OpenAI's moderations do. Categories without policies are named."""
        asked = await read(request, ModerationCreateRequest, gateway.limits)
        return _json(await create_moderation(gateway, asked))


def _comments(router: APIRouter, gateway: Gateway) -> None:
    @router.post(
        "/v1alpha1/comments:analyze",
        openapi_extra=openapi.body(AnalyzeCommentRequest),
        responses=openapi.answers(AnalyzeCommentResponse, 200, error=GoogleError),
        dependencies=[_GOOGLE_QUERY],
    )
    async def analyze(request: Request) -> Response:
        """Score a comment as Perspective does. Positions count UTF-16 units."""
        alt = request.query_params.get("alt", "json")
        if alt != "json":
            raise InvalidInput(f"expected alt=json, was: {alt[:80]}; answers are JSON alone")
        asked = await read(request, AnalyzeCommentRequest, gateway.limits)
        return _json(await analyze_comment(gateway, asked))

    @router.get(
        "/$discovery/rest",
        include_in_schema=False,
        dependencies=[known_query(*_GOOGLE_NAMES, "version", "userIp")],
    )
    async def discovery(request: Request, version: str = VERSION) -> Response:
        """Tell Google's clients how to call what is here."""
        if version != VERSION:
            raise NotFound(f"expected version={VERSION}, was: {version[:80]}; there is no other")
        return JSONResponse(discovery_document(str(request.base_url)))

    @router.post("/v1alpha1/comments:suggestscore", include_in_schema=False)
    async def suggest() -> Response:
        raise refuse_suggestion()


def _json(model: BaseModel) -> Response:
    return Response(model.model_dump_json(), media_type="application/json")
