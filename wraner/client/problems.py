"""Problems: what a call can end in other than its answer, one class where a caller branches.

`ApiError` is the server's own word (RFC 9457), `Unreachable` the want of one, `NotWraner` the word
of something else. Nothing is quoted but what was received. Knows no transport.
"""

from collections.abc import Mapping

from wraner.client.replies import Problem
from wraner.errors import WranerError

MEDIA_TYPE = "application/problem+json"


class ApiError(WranerError):
    """The server refused or failed; `after` says what was tried before, "" for the first try."""

    def __init__(self, problem: Problem, after: str = "") -> None:
        super().__init__(problem, after)
        self.problem = problem
        self.after = after

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.problem.status

    @property
    def title(self) -> str:
        """What kind of problem it is, in a few words."""
        return self.problem.title

    @property
    def detail(self) -> str:
        """What was expected, what was given and the way out."""
        return self.problem.detail

    @property
    def pointer(self) -> str:
        """The part of the body that is wrong, as a JSON pointer; "" where there is none."""
        return self.problem.pointer

    @property
    def request_id(self) -> str:
        """The request's name in the server's log; "" where none was made."""
        return self.problem.request_id

    def __str__(self) -> str:
        request = f"request {self.request_id}" if self.request_id else ""
        facts = (f"{self.status} {self.title}", self.after, request)
        where = f"{self.pointer}: " if self.pointer else ""
        return f"{where}{self.detail} ({'; '.join(f for f in facts if f)})"

    @property
    def is_too_large(self) -> bool:
        """Whether the body as a whole was larger than the server takes."""
        return self.status == 413


class NotFound(ApiError):
    """404: no pack or example has this name, or the server has no such route."""


class Invalid(ApiError):
    """400, 413, 415, 422: the request breaks a rule; `pointer` names the part."""


class Conflict(ApiError):
    """409: the same id is stored with other content."""


class Stale(ApiError):
    """412: the pack is not at the version that was expected."""


class Busy(ApiError):
    """429, 503: too many requests, or a part is missing; it still was so after all attempts."""


class TooSlow(ApiError):
    """408, 504: the time was up before the answer was ready."""


class Unreachable(WranerError):
    """No answer came: the server was not there, broke off, stayed silent or still starts."""


class NotWraner(WranerError):
    """An answer came that no wraner gives: another program's, a proxy's, or a broken one.

    `status` is its HTTP status, None where it could not be read at all.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


CLASSES: Mapping[int, type[ApiError]] = {
    400: Invalid,
    404: NotFound,
    408: TooSlow,
    409: Conflict,
    412: Stale,
    413: Invalid,
    415: Invalid,
    422: Invalid,
    429: Busy,
    503: Busy,
    504: TooSlow,
}


def error_of(problem: Problem, *, after: str = "") -> ApiError:
    """Return the error that a caller branches on."""
    return CLASSES.get(problem.status, ApiError)(problem, after)
