"""Failures: from whatever went wrong to one line on standard error and an exit code.

The one table of exit codes. Knows no command.
"""

import sys
import traceback
from enum import IntEnum

from wraner import errors


class Exit(IntEnum):
    """What a finished command says to the shell."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    UNREACHABLE = 3
    CONFLICT = 4
    DECIDED = 10
    INTERRUPTED = 130
    CLOSED_PIPE = 141


class WrongUse(Exception):
    """The command line asks for something that does not go together; the message says what."""


class Stopped(Exception):
    """A stream of texts ended early, but all that was answered has been written.

    `line` is the last input line whose result was written, counted over all inputs.
    """

    def __init__(self, cause: BaseException, *, line: int, done: int) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.line = line
        self.done = done


def exit_code(error: BaseException) -> Exit:
    """Return the exit code that an error ends in."""
    from wraner.client import problems

    found = (problems.NotFound, problems.Conflict, problems.Stale)
    stored = (errors.NotFound, errors.Conflict, errors.Stale)
    if isinstance(error, KeyboardInterrupt):
        return Exit.INTERRUPTED
    if isinstance(error, WrongUse):
        return Exit.USAGE
    if isinstance(error, found + stored):
        return Exit.CONFLICT
    if isinstance(error, problems.Invalid | errors.InvalidInput):
        return Exit.REFUSED
    return Exit.UNREACHABLE if isinstance(error, errors.WranerError) else Exit.REFUSED


def complain(error: BaseException, *, debug: bool = False) -> None:
    """Print an error as one line, and with `debug` where it came from."""
    if debug:
        traceback.print_exception(error)
    say(message_of(error))


def say(words: str) -> None:
    """Print a line of the command's own on standard error."""
    print("wraner:", *words.splitlines(), file=sys.stderr, flush=True)


def message_of(error: BaseException) -> str:
    """Return an error in one line; an unforeseen one by its type, and how to see more."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, errors.WranerError | WrongUse | OSError | UnicodeError):
        return str(error)
    return f"something unforeseen: {type(error).__name__}: {error}; --debug shows where"
