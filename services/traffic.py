"""Traffic: what surrounds every request: its id, its metrics, its log line, its last resort.

A plain ASGI middleware. Logs and metrics hold lengths and routes, never a text. Knows no contract.
"""

import re
import time
import uuid

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.logs import where
from services.problems import answer, explain
from wraner.errors import Unavailable

_MAX_ID = 128
_REQUEST_ID = re.compile(rb"[\x21-\x7e]{1,%d}" % _MAX_ID)
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)
_GONE = 499  # the client hung up; nobody reads this status but our log


class Meter:
    """Counts requests and their seconds by route.

    Every count names the gateway: a scrape reaches one of several, and counts of two under one name
    would jump.

    Attributes:
        running: how many requests are under way.
        draining: whether new ones are refused.
    """

    def __init__(self, gateway: str = "gateway") -> None:
        self._gateway = gateway
        self.running = 0
        self.draining = False
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "wraner_requests",
            "Requests answered",
            ("gateway", "method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "wraner_request_seconds",
            "Seconds from a request's first byte to its answer's last",
            ("gateway", "method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        method = method if method in _METHODS else "other"
        self._requests.labels(self._gateway, method, route, status).inc()
        self._seconds.labels(self._gateway, method, route).observe(seconds)


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
        # Here, for what is mounted takes its own place for the root.
        path = _path(scope)
        scope.setdefault("state", {}).update(request_id=request_id, path=path)
        method, head = scope["method"], scope["method"] == "HEAD"
        if head:
            scope = {**scope, "method": "GET"}
        shown = None if self._echoed else request_id
        exchange = _Exchange(shown, receive, send, head=head)
        began = time.perf_counter()
        self._meter.running += 1
        try:
            await self._answer(scope, exchange, request_id, path)
        finally:
            self._meter.running -= 1
            seconds = time.perf_counter() - began
            route = _route(scope, path)
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

    async def _answer(
        self, scope: Scope, exchange: "_Exchange", request_id: str, path: str
    ) -> None:
        try:
            if self._meter.draining and path != "/healthz":
                raise Unavailable("the service is shutting down; ask another one or try again")
            await self._app(scope, exchange.receive, exchange.send)
        except ClientDisconnect:
            return
        except Exception as error:
            found = explain(error)
            if found.problem.status == 500:
                self._log.error("failed", request_id=request_id, **where(error))
            if exchange.status != _GONE:
                raise
            told = answer(found, request_id, path=path)
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


def _path(scope: Scope) -> str:
    """Return a request's path as the routes have it, without the prefix that all are served at."""
    path, root = str(scope["path"]), str(scope.get("root_path", "")).rstrip("/")
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def _route(scope: Scope, path: str) -> str:
    """Return the pattern of the route that answered, "none" where none did.

    Only FastAPI's routes name themselves; those of the document and its page have fixed paths.
    """
    found = getattr(scope.get("route"), "path", "")
    if found or "endpoint" not in scope:
        return found or "none"
    fixed = (route.path for route in scope["app"].routes if isinstance(route, Route))
    return path if path in fixed else "none"
