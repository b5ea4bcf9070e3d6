"""Reading: what comes with a request, its query and its body. Knows HTTP and no contract."""

from typing import Any

from fastapi import Depends, Request

from services.bodies import read_body
from services.intake import Model, parse_in_thread
from services.settings import Limits
from wraner.errors import InvalidInput


def known_query(*names: str) -> Any:
    """Make a dependency that refuses query parameters of other names."""

    async def check(request: Request) -> None:
        for name in request.query_params:
            if name not in names:
                known = ", ".join(names) or "none"
                raise InvalidInput(
                    f"the query parameter {name[:80]!r} is not known; known are: {known}"
                )

    return Depends(check)


async def read(request: Request, model: type[Model], limits: Limits) -> Model:
    """Return the body as a model. Raises InvalidInput, with a pointer, and Refused."""
    raw = await read_body(
        request.stream(),
        content_type=request.headers.get("content-type", ""),
        encoding=request.headers.get("content-encoding", ""),
        length=request.headers.get("content-length", ""),
        limit=limits.max_body_bytes,
    )
    return await parse_in_thread(raw, model)
