"""OpenAPI: how the routes describe themselves, each with a worked example.

Bodies are read by `bodies`, not by FastAPI, so their schemas are added here by hand.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from services import examples
from services.problems import MEDIA_TYPE
from services.schema import Problem

_REF = "#/components/schemas/{model}"


def body(model: type[BaseModel]) -> dict[str, Any]:
    """Describe a request's body."""
    schema = {"$ref": _REF.format(model=model.__name__)}
    example = {"worked example": {"value": examples.REQUESTS[model.__name__]}}
    content = {"application/json": {"schema": schema, "examples": example}}
    return {"requestBody": {"required": True, "content": content}}


def answers(model: type[BaseModel] | None, *statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe a route's answers; problems come on top."""
    problem = {"schema": {"$ref": _REF.format(model=Problem.__name__)}, "example": examples.PROBLEM}
    described: dict[int | str, dict[str, Any]] = {
        "4XX": {"description": "a problem (RFC 9457)", "content": {MEDIA_TYPE: problem}}
    }
    for status in statuses:
        described[status] = {"description": HTTPStatus(status).phrase}
        if model is not None:
            schema = {"$ref": _REF.format(model=model.__name__)}
            example = examples.RESPONSES[model.__name__]
            described[status]["content"] = {
                "application/json": {"schema": schema, "example": example}
            }
    return described


def add_schemas(api: FastAPI, models: Sequence[type[BaseModel]]) -> None:
    """Let the API's description hold the schemas that its routes refer to."""
    describe = api.openapi

    def described() -> dict[str, Any]:
        content = describe()
        _, schemas = models_json_schema([(m, "validation") for m in models], ref_template=_REF)
        components = content.setdefault("components", {}).setdefault("schemas", {})
        components.update(schemas["$defs"])
        return content

    api.openapi = described  # type: ignore[method-assign]
