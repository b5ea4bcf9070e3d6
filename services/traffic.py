"""Traffic: what surrounds every request: its id, its metrics, its log line, its last resort.

A plain ASGI middleware. Logs and metrics hold lengths and routes, never a text. Knows no contract.
"""

import re
import time
import traceback
import uuid
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.problems import answer, explain
from wraner.errors import Unavailable

_MAX_ID = 128
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,%d}" % _MAX_ID)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_GONE = 499  # the client hung up; nobody reads this status but our log


class Meter:
    """Counts requests and their seconds by route.

    Attributes:
        running: how many requests are under way.
        draining: whether new ones are refused.
    """

    def __init__(self) -> None:
        self.running = 0
        self.draining = False
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "wraner_requests",
            "Requests answered",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "wraner_request_seconds",
            "Seconds from a request's first byte to its answer's last",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, status).inc()
        self._seconds.labels(method, route).observe(seconds)


class Traffic:
    """Wraps the API. HEAD is asked as GET; its answer goes out without a body.

    `echoed`: a server in front returns each request's id, as Ray Serve's does.
    """

    def __init__(self, app: ASGIApp, meter: Meter, *, echoed: bool = False) -> None:
        self._app = app
        self._meter = meter
        self._echoed = echoed
        self._log = structlog.get_logger("wraner.gateway")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(scope, echoed=self._echoed)
        scope.setdefault("state", {})["request_id"] = request_id
        method, head = scope["method"], scope["method"] == "HEAD"
        if head:
            scope = {**scope, "method": "GET"}
        shown = None if self._echoed else request_id
        exchange = _Exchange(shown, receive, send, head=head)
        began = time.perf_counter()
        self._meter.running += 1
        try:
            await self._answer(scope, exchange, request_id)
        finally:
            self._meter.running -= 1
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", "none")
            self._meter.count(method, route, exchange.status, seconds)
            self._log.info(
                "request",
                request_id=request_id,
                method=method,
                route=route,
                status=exchange.status,
                milliseconds=round(1000 * seconds, 1),
                bytes_in=exchange.bytes_in,
                bytes_out=exchange.bytes_out,
            )

    async def _answer(self, scope: Scope, exchange: "_Exchange", request_id: str) -> None:
        try:
            if self._meter.draining and scope["path"] != "/healthz":
                raise Unavailable("the service is shutting down; ask another one or try again")
            await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            return
        except Exception as error:
            found = explain(error)
            if found.problem.status == 500:
                self._log.error("failed", request_id=request_id, **_where(error))
            if exchange.status != _GONE:
                raise
            told = answer(found, request_id, path=scope["path"])
            await told(scope, exchange.receive, exchange.send)


class _Exchange:
    """One request's way in and out, counted; an id goes out with the first message."""

    def __init__(self, request_id: str | None, receive: Receive, send: Send, *, head: bool) -> None:
        self._id = request_id
        self._receive = receive
        self._send = send
        self._head = head
        self.status = _GONE
        self.bytes_in = 0
        self.bytes_out = 0

    async def receive(self) -> Message:
        message = await self._receive()
        self.bytes_in += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            own = [(b"x-request-id", self._id.encode())] if self._id is not None else []
            message = {**message, "headers": [*message.get("headers", ()), *own]}
        elif self._head:
            message = {**message, "body": b""}
        self.bytes_out += len(message.get("body", b""))
        await self._send(message)


def _request_id(scope: Scope, *, echoed: bool) -> str:
    """Return the client's id for the request, or a new one where it sent none that can be kept.

    One that is echoed all the same is kept as what of it can be read in a log.
    """
    sent = next((v for k, v in scope["headers"] if k.lower() == b"x-request-id"), b"")
    if _REQUEST_ID.fullmatch(sent):
        return sent.decode("ascii")
    readable = sent.decode("latin-1").encode("unicode_escape").decode()[:_MAX_ID]
    return readable if echoed and readable else uuid.uuid4().hex


def _where(error: BaseException) -> dict[str, Any]:
    """Say what failed where, without the message, which may quote a text."""
    frames = traceback.extract_tb(error.__traceback__)
    inner = getattr(error, "cause", None) or error.__cause__
    return {
        "error": type(error).__name__,
        "cause": type(inner).__name__ if inner else "",
        "frames": [f"{f.filename.rsplit('/', 2)[-1]}:{f.lineno} {f.name}" for f in frames[-8:]],
    }
