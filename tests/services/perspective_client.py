"""Google's own client of Perspective, made from the types that Google's public reference names.

The client reads from a discovery document what it may call. Google's is written down here without
its prose, since tests ask no other host, and names another address. It checks no body itself:
`misfits` does. Knows nothing of our types.
"""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httplib2
from googleapiclient.discovery import build_from_document
from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

Schema = dict[str, Any]

_STRING: Schema = {"type": "string"}
_BOOLEAN: Schema = {"type": "boolean"}
_NUMBER: Schema = {"type": "number", "format": "float"}
_POSITION: Schema = {"type": "integer", "format": "int32"}
_SCORE_TYPES = ("SCORE_TYPE_UNSPECIFIED", "PROBABILITY", "STD_DEV_SCORE", "PERCENTILE", "RAW")
_TEXT_TYPES = ("TEXT_TYPE_UNSPECIFIED", "PLAIN_TEXT", "HTML")


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties}


def _some(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _by_name(values: Schema) -> Schema:
    return {"type": "object", "additionalProperties": values}


def _one_of(values: tuple[str, ...]) -> Schema:
    return {"type": "string", "enum": list(values)}


def _a(name: str) -> Schema:
    return {"$ref": name}


_TYPES = {
    "AnalyzeCommentRequest": _object(
        clientToken=_STRING,
        comment=_a("TextEntry"),
        communityId=_STRING,
        context=_a("Context"),
        doNotStore=_BOOLEAN,
        languages=_some(_STRING),
        requestedAttributes=_by_name(_a("AttributeParameters")),
        sessionId=_STRING,
        spanAnnotations=_BOOLEAN,
    ),
    "AnalyzeCommentResponse": _object(
        attributeScores=_by_name(_a("AttributeScores")),
        clientToken=_STRING,
        detectedLanguages=_some(_STRING),
        languages=_some(_STRING),
    ),
    "ArticleAndParentComment": _object(article=_a("TextEntry"), parentComment=_a("TextEntry")),
    "AttributeParameters": _object(scoreThreshold=_NUMBER, scoreType=_one_of(_SCORE_TYPES)),
    "AttributeScores": _object(spanScores=_some(_a("SpanScore")), summaryScore=_a("Score")),
    "Context": _object(
        articleAndParentComment=_a("ArticleAndParentComment"), entries=_some(_a("TextEntry"))
    ),
    "Score": _object(type=_one_of(_SCORE_TYPES), value=_NUMBER),
    "SpanScore": _object(begin=_POSITION, end=_POSITION, score=_a("Score")),
    "TextEntry": _object(text=_STRING, type=_one_of(_TEXT_TYPES)),
}
SCHEMAS: dict[str, Schema] = {name: {"id": name, **schema} for name, schema in _TYPES.items()}
_DISCOVERY: dict[str, Any] = {
    "kind": "discovery#restDescription",
    "id": "commentanalyzer:v1alpha1",
    "name": "commentanalyzer",
    "version": "v1alpha1",
    "servicePath": "",
    "parameters": {
        "key": {"type": "string", "location": "query"},
        "alt": {"type": "string", "location": "query", "default": "json"},
        "prettyPrint": {"type": "boolean", "location": "query", "default": "true"},
    },
    "schemas": SCHEMAS,
    "resources": {
        "comments": {
            "methods": {
                "analyze": {
                    "id": "commentanalyzer.comments.analyze",
                    "path": "v1alpha1/comments:analyze",
                    "httpMethod": "POST",
                    "parameters": {},
                    "request": {"$ref": "AnalyzeCommentRequest"},
                    "response": {"$ref": "AnalyzeCommentResponse"},
                }
            }
        }
    },
}
_REGISTRY: Any = Registry().with_resources(
    (name, DRAFT4.create_resource(schema)) for name, schema in SCHEMAS.items()
)


@contextmanager
def vendors_client(address: str) -> Iterator[Any]:
    """Yield Google's client of the service at an address."""
    document = _DISCOVERY | {"rootUrl": f"{address}/", "baseUrl": f"{address}/"}
    made = build_from_document(json.dumps(document), developerKey="unused", http=httplib2.Http())
    with closing(made) as client:
        yield client


def misfits(name: str, body: Any) -> list[str]:
    """Return what in a body is not of the reference's type of that name."""
    found = Draft4Validator(SCHEMAS[name], registry=_REGISTRY).iter_errors(body)
    return [f"{error.json_path}: {error.message}" for error in found]
