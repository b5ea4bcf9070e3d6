"""Exchange: one call and what each of its attempts came to, for both clients.

A client sends and sleeps; here is decided whether to send again, and what the outcome is. Knows
httpx's responses and errors, and sends nothing.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

import httpx
from pydantic import ValidationError

from wraner.client.calls import Call
from wraner.client.problems import MEDIA_TYPE, NotWraner, Unreachable, error_of
from wraner.client.replies import Problem
from wraner.client.retries import Attempts, Retry
from wraner.errors import InvalidInput

T = TypeVar("T")

# Raised before the first byte of a request: the server cannot have carried it out.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
BROKE = (httpx.NetworkError, httpx.RemoteProtocolError)
TRY_LATER = (429, 503)
# Without a problem document: Ray Serve's word for a gateway that died at work, and a proxy's for a
# server that broke off or stayed silent.
FAILED = (500, 502, 504)
# What Ray Serve answers while it listens and has no routes yet.
NO_ROUTES = "/-/routes for available routes"

_MAY_BE_MADE = "the change may have been made, so look before you repeat it"
_WAY_OUT = "start it with `wraner serve` or name another with --server / WRANER_URL"
_LONGEST_CONNECT_S = 10.0
_QUOTED_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Server:
    """Where calls go; `timeout_s` is how long the server may stay silent, in seconds."""

    url: str
    timeout_s: float
    retry: Retry

    def __post_init__(self) -> None:
        if not _names_a_server(self.url):
            raise InvalidInput(
                f"expected a server's URL such as http://127.0.0.1:8000, was: {self.url!r}"
            )
        if not self.timeout_s > 0:
            raise InvalidInput(f"expected a timeout_s above 0, was: {self.timeout_s}")

    @property
    def shown(self) -> str:
        """The URL as messages name it, without a password that it may hold."""
        url = httpx.URL(self.url)
        return f"{url.scheme}://{url.netloc.decode('ascii')}{url.path}".rstrip("/")

    @property
    def timeout(self) -> httpx.Timeout:
        """The limits for httpx; a server that lives takes connections at once."""
        return httpx.Timeout(self.timeout_s, connect=min(self.timeout_s, _LONGEST_CONNECT_S))


class Exchange(Generic[T]):
    """One call, from its first attempt to its outcome.

    Attributes:
        content: the body that every attempt sends, None where there is none.
        headers: the headers that every attempt sends.
    """

    def __init__(self, call: Call[T], server: Server) -> None:
        self._call = call
        self._server = server
        self._attempts = Attempts(server.retry)
        self._in_doubt = False
        self.headers = {"Content-Type": "application/json"} if call.body is not None else {}
        self.headers |= call.headers
        self.content = call.encoded()

    def wait_after_failure(self, error: httpx.RequestError) -> float:
        """Return how many seconds to wait before the call is sent again.

        Raises:
            Unreachable: it is not to be sent again.
            NotWraner: the answer's encoding is broken.
        """
        if isinstance(error, httpx.DecodingError):
            raise NotWraner(
                f"expected an answer of wraner to {self._asked()}, was: one in an encoding that "
                f"cannot be read ({error}); see whether a proxy stands in between"
            ) from error
        again = isinstance(error, NEVER_SENT) or (
            isinstance(error, BROKE) and self._call.idempotent
        )
        wait_s = self._attempts.next_wait_s() if again else None
        if wait_s is None:
            raise Unreachable(self._unreachable(error)) from error
        return wait_s

    def wait_after(self, response: httpx.Response) -> float | None:
        """Return how many seconds to wait before the call is sent again, None: `read` this."""
        status = response.status_code
        if _is_starting(response):
            return self._attempts.next_wait_s()
        if _has_failed(response):
            # A proxy's 504 says that the call takes too long: it would again.
            repeats = self._call.idempotent and status != 504
            return self._attempts.next_wait_s() if repeats else None
        if status not in TRY_LATER or status in self._call.answered:
            return None
        # A 503 may come of a part that died at work, a 429 is always given before it.
        self._in_doubt = self._in_doubt or (status == 503 and not self._call.idempotent)
        return self._attempts.next_wait_s(response.headers.get("Retry-After", ""))

    def read(self, response: httpx.Response) -> T:
        """Return the answer.

        Raises:
            ApiError: the server refused or failed.
            Unreachable: it listens, but has no routes yet.
            NotWraner: it is no answer of a wraner server.
        """
        if _is_starting(response):
            raise Unreachable(self._starting())
        if _media_type(response) == MEDIA_TYPE:
            problem = self._parsed_problem(response)
            raise error_of(problem, after=self._tried(problem.status))
        if response.status_code not in self._call.answered:
            raise self._foreign(response)
        try:
            return self._call.parse(response.content)
        except ValueError as error:
            raise self._foreign(response, _fault(error)) from None

    def _parsed_problem(self, response: httpx.Response) -> Problem:
        try:
            return Problem.model_validate_json(response.content)
        except ValueError as error:
            raise self._foreign(response, _fault(error)) from None

    def _tried(self, status: int) -> str:
        """Say what came before a refusal, where something did."""
        tried = self._attempts.summary()
        if self._in_doubt and status in (404, 412):
            tried += ", one of which may have been carried out"
        return tried

    def _asked(self) -> str:
        path = self._call.path.partition("?")[0]
        return f"{self._call.method} {self._server.shown}{path}"

    def _foreign(self, response: httpx.Response, fault: str = "") -> NotWraner:
        came = f"{response.status_code} {response.headers.get('Content-Type', 'without a type')}"
        target = response.headers.get("Location")
        if target:
            said = f"which leads to {target[:_QUOTED_CHARACTERS]}"
        elif fault:
            said = fault
        else:
            begins = " ".join(response.text.split())[:_QUOTED_CHARACTERS]
            said = f"which begins {begins!r}" if begins else "without a body"
        tried = self._attempts.summary()
        return NotWraner(
            f"expected an answer of wraner to {self._asked()}, was: {came}, {said}"
            f"{' (' + tried + ')' if tried else ''}; {self._failed(response)}look whether the URL "
            f"is the server's (--server / WRANER_URL) and whether a proxy stands in between",
            status=response.status_code,
        )

    def _failed(self, response: httpx.Response) -> str:
        """Say who failed, where somebody did, and what that leaves open."""
        if not _has_failed(response):
            return ""
        in_doubt = self._in_doubt or not self._call.idempotent
        doubt = f"{_MAY_BE_MADE}; " if in_doubt else ""
        return (
            f"the server, or a proxy before it, failed; {doubt}try again later, and if it stays "
            f"so, "
        )

    def _starting(self) -> str:
        tried = self._attempts.summary()
        return (
            f"{self._server.shown} listens but has no routes yet"
            f"{' (' + tried + ')' if tried else ''}; try again when wraner has started, and if it "
            f"stays so, look whether the URL is the server's (--server / WRANER_URL)"
        )

    def _unreachable(self, error: httpx.RequestError) -> str:
        server, tried = self._server.shown, self._attempts.summary()
        reason = f"{type(error).__name__}: {error}".removesuffix(": ")
        facts = f"{reason}; {tried}" if tried else reason
        sent = not isinstance(error, NEVER_SENT)
        doubt = ""
        if self._in_doubt or (sent and not self._call.idempotent):
            doubt = f"{_MAY_BE_MADE}; "
        if not sent:
            return f"no server was reached at {server} ({facts}); {doubt}{_WAY_OUT}"
        if isinstance(error, httpx.TimeoutException):
            return (
                f"{server} stayed silent for {self._server.timeout_s:g} s ({facts}); {doubt}"
                f"send less at once, allow a longer timeout_s, or see whether it hangs"
            )
        return f"the connection to {server} broke ({facts}); {doubt}{_WAY_OUT}"


def _names_a_server(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    # A port above 65535 would reach another one: the socket keeps 16 bits.
    fits = parsed.port is None or parsed.port <= 65535
    rest = parsed.query or parsed.fragment
    return parsed.scheme in ("http", "https") and bool(parsed.host) and fits and not rest


def _is_starting(response: httpx.Response) -> bool:
    """Return whether Ray Serve itself answers: it hands nothing on that was asked of wraner."""
    if response.status_code != 404 or _media_type(response) != "text/plain":
        return False
    return NO_ROUTES in response.text


def _has_failed(response: httpx.Response) -> bool:
    """Return whether something before the gateway answers that the gateway does not."""
    return response.status_code in FAILED and _media_type(response) != MEDIA_TYPE


def _media_type(response: httpx.Response) -> str:
    return str(response.headers.get("Content-Type", "")).partition(";")[0].strip().lower()


def _fault(error: ValueError) -> str:
    """Say what is wrong with a body without quoting it, as it may hold a user's text."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_input=False, include_url=False)[0]
    where = "/".join(str(step) for step in first["loc"]) or "the body"
    return f"in which {where} is wrong: {first['msg']}"
