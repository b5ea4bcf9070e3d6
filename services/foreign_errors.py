"""Foreign errors: a problem in the shape that the clients of another API read, by its path.

What those APIs call wrong input is 400 where ours is 422. Knows nothing of what went wrong.
"""

import re
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from services.schema import Problem

OPENAI_PATH = "/v1/moderations"
GOOGLE_PATHS = "/v1alpha1/"

_INVALID = 422
_ERROR_TYPES = {
    "comment-empty": "COMMENT_EMPTY",
    "comment-too-long": "COMMENT_TOO_LONG",
    "no-requested-attributes": "NO_REQUESTED_ATTRIBUTES",
    "language-not-supported": "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE",
}
"""What Perspective calls a problem, by its slug; another is an invalid request."""
_STATUSES = {
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, serialize_by_alias=True)


class OpenAIFault(_Frozen):
    """What is wrong; `param` is the field, such as `input[3]`."""

    message: str
    type: str
    param: str | None
    code: str


class OpenAIError(_Frozen):
    """An error as OpenAI's clients read it."""

    error: OpenAIFault


class FieldViolation(_Frozen):
    """A field that is wrong, such as `comment.text`, and why."""

    field: str
    description: str


class BadRequest(_Frozen):
    """The part of the request that is at fault."""

    kind: str = Field("type.googleapis.com/google.rpc.BadRequest", alias="@type")
    violations: tuple[FieldViolation, ...] = Field(alias="fieldViolations")


class CommentError(_Frozen):
    """What Perspective's clients tell a problem by."""

    kind: str = Field("type.googleapis.com/google.commentanalyzer.v1alpha1.Error", alias="@type")
    error_type: str = Field(alias="errorType")


class GoogleFault(_Frozen):
    """What is wrong; `status` is the canonical name of `code`."""

    code: int
    message: str
    status: str
    details: tuple[CommentError | BadRequest, ...] = Field(
        (), exclude_if=lambda details: not details
    )


class GoogleError(_Frozen):
    """An error as Google's clients read it."""

    error: GoogleFault


@dataclass(frozen=True, slots=True)
class ForeignError:
    """A response's status and body."""

    status: int
    body: OpenAIError | GoogleError


def foreign_error(problem: Problem, path: str) -> ForeignError | None:
    """Return a problem as the API that this path belongs to words it, None where that is ours."""
    status = 400 if problem.status == _INVALID else problem.status
    if path == OPENAI_PATH:
        return ForeignError(status, _openai(problem, status))
    if path.startswith(GOOGLE_PATHS):
        return ForeignError(status, _google(problem, status))
    return None


def _openai(problem: Problem, status: int) -> OpenAIError:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    code = _slug(problem).replace("-", "_")
    if status == 429:
        kind, code = "requests", "rate_limit_exceeded"
    fault = OpenAIFault(
        message=problem.detail, type=kind, param=_field(problem.pointer) or None, code=code
    )
    return OpenAIError(error=fault)


def _google(problem: Problem, status: int) -> GoogleError:
    details: list[CommentError | BadRequest] = []
    if status == 400:
        details.append(CommentError(errorType=_ERROR_TYPES.get(_slug(problem), "INVALID_REQUEST")))
    if problem.pointer:
        found = FieldViolation(field=_field(problem.pointer), description=problem.detail)
        details.append(BadRequest(fieldViolations=(found,)))
    fault = GoogleFault(
        code=status,
        message=problem.detail,
        status=_STATUSES.get(status, "INVALID_ARGUMENT"),
        details=tuple(details),
    )
    return GoogleError(error=fault)


def _slug(problem: Problem) -> str:
    return problem.type.rsplit(":", 1)[-1]


def _field(pointer: str) -> str:
    """Return a JSON pointer as a path: ``/input/3/text`` is ``input[3].text``."""
    steps = [s.replace("~1", "/").replace("~0", "~") for s in pointer.split("/")[1:]]
    path = "".join(f"[{s}]" if re.fullmatch(r"\d+", s) else f".{s}" for s in steps)
    return path.removeprefix(".")
