"""What can go wrong, by whose hand it can be mended.

Every message says what was expected, what was given and the way out. `services` holds the one
table from these classes to HTTP. Knows no HTTP.
"""


class WranerError(Exception):
    """Anything that wraner refuses or cannot do."""


class InvalidInput(WranerError):
    """The caller's data breaks a rule; `pointer` is a JSON pointer to the offending part."""

    def __init__(self, message: str, *, pointer: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.pointer = pointer

    def __reduce__(self) -> tuple[object, ...]:
        return _invalid_input, (self.message, self.pointer)

    def under(self, prefix: str) -> "InvalidInput":
        """Return the same error seen from one level further out."""
        return InvalidInput(self.message, pointer=prefix + self.pointer)


def _invalid_input(message: str, pointer: str) -> InvalidInput:
    return InvalidInput(message, pointer=pointer)


class NotFound(WranerError):
    """A name (domain, policy set, example, adapter) that does not exist."""


class Conflict(WranerError):
    """A write that contradicts what is stored: the same id with other content."""


class Stale(WranerError):
    """A conditional write whose expected version is no longer the current one."""


class Overloaded(WranerError):
    """The queue is full; trying again after `retry_after_s` seconds may succeed."""

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[object, ...]:
        return _overloaded, (str(self), self.retry_after_s)


def _overloaded(message: str, retry_after_s: float) -> Overloaded:
    return Overloaded(message, retry_after_s=retry_after_s)


class DeadlineExceeded(WranerError):
    """The request's time was up before its answer was ready."""


class Unavailable(WranerError):
    """A part that the answer needs (engine, index, weights) is missing or damaged.

    Trying again before `retry_after_s` seconds are over is no use.
    """

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
