"""Errors as RFC 9457 problem details: the one table from what can go wrong to HTTP.

Whatever a caller sends ends in a row of this table; only our own faults end in 500, which tells
nothing of the inside. Knows Ray's errors by name alone, so that the gateway runs without Ray.
"""

import asyncio
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from services.foreign_errors import foreign_error
from services.schema import Problem
from wraner.errors import (
    Conflict,
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    Overloaded,
    Stale,
    Unavailable,
    WranerError,
)

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Row:
    """One kind of problem: its slug, its status, its title."""

    slug: str
    status: int
    title: str


INVALID = Row("invalid-input", 422, "The request breaks a rule")
OVERLOADED = Row("overloaded", 429, "The queue is full")
# 504, not 408: a 408 would say that the client was slow in sending its request.
LATE = Row("deadline-exceeded", 504, "The time was up before the answer was ready")
UNAVAILABLE = Row("unavailable", 503, "A part that the answer needs is missing")
INTERNAL = Row("internal", 500, "Something went wrong on our side")
UNSUPPORTED = Row("unsupported", 501, "This is not offered here")

TABLE: tuple[tuple[type[BaseException], Row], ...] = (
    (InvalidInput, INVALID),
    (NotFound, Row("not-found", 404, "There is nothing by this name")),
    (Conflict, Row("conflict", 409, "The same id is stored with other content")),
    (Stale, Row("stale", 412, "The pack has changed meanwhile")),
    (Overloaded, OVERLOADED),
    (DeadlineExceeded, LATE),
    (asyncio.TimeoutError, LATE),
    (Unavailable, UNAVAILABLE),
)
# Raised by Ray Serve in the caller of a deployment.
RAY_TABLE: Mapping[str, tuple[Row, str]] = {
    "BackPressureError": (OVERLOADED, "too many requests are waiting; try again later"),
    "RayActorError": (UNAVAILABLE, "a part of the service is restarting; try again shortly"),
    "ReplicaUnavailableError": (UNAVAILABLE, "a part is restarting; try again shortly"),
    "DeploymentUnavailableError": (UNAVAILABLE, "a part failed to start; see the server's log"),
    "GetTimeoutError": (LATE, "a part of the service did not answer in time"),
    "RequestCancelledError": (UNAVAILABLE, "the request was cancelled; try again"),
}
HTTP_ROWS: Mapping[int, Row] = {
    404: Row("no-such-route", 404, "There is no such route"),
    405: Row("method-not-allowed", 405, "This route does not take this method"),
    411: Row("length-required", 411, "The request must state its length"),
    413: Row("body-too-large", 413, "The body is too large"),
    415: Row("unsupported-media-type", 415, "The body must be JSON"),
}


class Refused(Exception):
    """A problem as it goes to the client; raised where HTTP itself is the trouble."""

    def __init__(self, problem: Problem, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(problem.detail)
        self.problem = problem
        self.headers = dict(headers or {})


def refusal(
    row: Row, detail: str, *, pointer: str = "", headers: Mapping[str, str] | None = None
) -> Refused:
    """Make the error that ends in this problem."""
    return Refused(_problem(row, detail, pointer), headers)


def at_pointer(error: WranerError, pointer: str) -> Refused:
    """Give an error that knows no request the part of the body that caused it."""
    found = explain(error)
    return Refused(found.problem.model_copy(update={"pointer": pointer}), found.headers)


def explain(error: BaseException) -> Refused:
    """Return what the client is told of any error."""
    for cause in _causes(error):
        found = _explain_one(cause)
        if found is not None:
            return found
    return refusal(INTERNAL, "the request was fine, the server failed; its log has the request id")


def answer(found: Refused, request_id: str, *, path: str) -> Response:
    """Return the problem as a response, in the shape that the clients of this path read."""
    problem = found.problem.model_copy(update={"request_id": request_id})
    foreign = foreign_error(problem, path)
    if foreign is not None:
        return JSONResponse(foreign.body.model_dump(), foreign.status, found.headers)
    return JSONResponse(problem.model_dump(), problem.status, found.headers, MEDIA_TYPE)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and what it wraps: Ray carries a replica's error as `cause`."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        yield current
        seen.add(id(current))
        inner = getattr(current, "cause", None)
        current = inner if isinstance(inner, BaseException) else None


def _explain_one(error: BaseException) -> Refused | None:
    if isinstance(error, Refused):
        return error
    if isinstance(error, HTTPException):
        return _explain_http(error)
    for kind, row in TABLE:
        if isinstance(error, kind):
            return _explain_ours(error, row)
    for kind in type(error).__mro__:
        if kind.__name__ in RAY_TABLE and kind.__module__.startswith("ray."):
            row, detail = RAY_TABLE[kind.__name__]
            return Refused(_problem(row, detail), _retry(row, 1.0))
    return None


def _explain_ours(error: BaseException, row: Row) -> Refused:
    pointer = error.pointer if isinstance(error, InvalidInput) else ""
    wait_s = error.retry_after_s if isinstance(error, Overloaded | Unavailable) else 1.0
    detail = str(error) or (
        "the time for this request was up; send less at once (texts, definitions, examples) or "
        "try again later"
    )
    return Refused(_problem(row, detail, pointer), _retry(row, wait_s))


def _explain_http(error: HTTPException) -> Refused:
    if error.status_code >= 500:
        return refusal(INTERNAL, "the server failed")
    row = HTTP_ROWS.get(error.status_code)
    row = row or replace(INVALID, slug="bad-request", status=error.status_code)
    return Refused(_problem(row, f"{row.title}; GET /docs lists what there is"), error.headers)


def _problem(row: Row, detail: str, pointer: str = "") -> Problem:
    return Problem(
        type=f"urn:wraner:problem:{row.slug}",
        title=row.title,
        status=row.status,
        # A detail may quote what came in, and a lone surrogate could not be sent back.
        detail=detail.encode("utf-8", "backslashreplace").decode(),
        pointer=pointer.encode("utf-8", "backslashreplace").decode(),
        request_id="",
    )


def _retry(row: Row, wait_s: float) -> dict[str, str]:
    if row.status not in (429, 503):
        return {}
    return {"Retry-After": str(max(1, math.ceil(wait_s)))}
