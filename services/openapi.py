"""OpenAPI: how the routes describe themselves, each with a worked example.

Bodies are read by `bodies`, not by FastAPI, so their schemas are added here by hand.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from services import drop_in_examples, examples
from services.problems import MEDIA_TYPE
from services.schema import Problem

DESCRIPTION = """
Finds entities by definitions and examples, and breaches of written policies.

Every pack has a version, the hash of its content, which is also its `ETag`: send it as `If-Match`
to change only what you have read. Errors are problem details (RFC 9457); `pointer` names the part
of the body that is wrong. Answers carry the id of their request in `X-Request-Id`.
"""
TAGS = [
    {"name": "ask", "description": "Texts in, entities or verdicts out."},
    {"name": "drop-in", "description": "The same verdicts in the words of two other APIs."},
    {"name": "domains", "description": "Entity types with tagged examples."},
    {"name": "policy-sets", "description": "Policies with examples judged by them."},
    {"name": "run", "description": "For whoever operates the service."},
]
PAGE: dict[str, Any] = {
    "defaultModelsExpandDepth": 0,
    "validatorUrl": None,  # a host outside would be asked otherwise
}
_REQUESTS = examples.REQUESTS | drop_in_examples.REQUESTS
_RESPONSES = examples.RESPONSES | drop_in_examples.RESPONSES
_ERRORS = {"Problem": examples.PROBLEM} | drop_in_examples.ERRORS
_REF = "#/components/schemas/{model}"


def body(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a request's body."""
    schema = {"$ref": _REF.format(model=model.__name__)}
    example = {"worked example": {"value": _REQUESTS[model.__name__]}}
    content = {"application/json": {"schema": schema, "examples": example}}
    return {"requestBody": {"required": True, "content": content}}


def answers(
    model: type[BaseModel] | None, *statuses: int, error: type[BaseModel] = Problem
) -> dict[int | str, dict[str, Any]]:
    """Describe a route's answers; errors come on top."""
    failed = {
        "schema": {"$ref": _REF.format(model=error.__name__)},
        "example": _ERRORS[error.__name__],
    }
    described: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        described[status] = {"description": HTTPStatus(status).phrase}
        if model is not None and status != HTTPStatus.NOT_MODIFIED:
            schema = {"$ref": _REF.format(model=model.__name__)}
            example = _RESPONSES[model.__name__]
            described[status]["content"] = {
                "application/json": {"schema": schema, "example": example}
            }
    ours = error is Problem
    content = {MEDIA_TYPE if ours else "application/json": failed}
    words = "a problem (RFC 9457)" if ours else "an error, as clients of that API read it"
    return {**described, "default": {"description": words, "content": content}}


def complete(api: FastAPI, models: Sequence[type[BaseModel]]) -> None:
    """Add the schemas that routes refer to; let docstrings' first sentences head the routes."""
    describe = api.openapi

    def described() -> dict[str, Any]:
        if api.openapi_schema:
            return api.openapi_schema
        content = describe()
        _, schemas = models_json_schema([(m, "validation") for m in models], ref_template=_REF)
        components = content.setdefault("components", {}).setdefault("schemas", {})
        components.update(schemas["$defs"])
        for operation in (o for path in content["paths"].values() for o in path.values()):
            first, _, rest = operation.get("description", "").partition(".")
            operation.update(summary=first or operation["summary"], description=rest.strip())
        return content

    api.openapi = described  # type: ignore[method-assign]
