"""Google's own client of Perspective, made as its users make it, from the document that is served.

It checks no body itself: `misfits` does, by the types in that document, which are those of Google's
public reference. Knows nothing of our types.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import httplib2
from googleapiclient.discovery import build
from jsonschema import Draft4Validator
from referencing import Registry
from referencing.jsonschema import DRAFT4

from services.discovery import discovery_document

SCHEMAS: dict[str, dict[str, Any]] = discovery_document("")["schemas"]
_REGISTRY: Any = Registry().with_resources(
    (name, DRAFT4.create_resource(schema)) for name, schema in SCHEMAS.items()
)


@contextmanager
def vendors_client(address: str) -> Iterator[Any]:
    """Yield Google's client of the service at an address."""
    made = build(
        "commentanalyzer",
        "v1alpha1",
        developerKey="unused",
        discoveryServiceUrl=f"{address}/$discovery/rest?version=v1alpha1",
        static_discovery=False,
        http=httplib2.Http(),
    )
    with closing(made) as client:
        yield client


def misfits(name: str, body: Any) -> list[str]:
    """Return what in a body is not of the reference's type of that name."""
    found = Draft4Validator(SCHEMAS[name], registry=_REGISTRY).iter_errors(body)
    return [f"{error.json_path}: {error.message}" for error in found]
