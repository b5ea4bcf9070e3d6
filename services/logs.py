"""Logs: one JSON object a line on standard error, never a client's words.

Set up once per process, at its edge.
"""

import errno
import logging
import sys
import traceback
from typing import Any

import structlog

from wraner.errors import WranerError


def log_as_json(level: int = logging.INFO) -> None:
    """Make structlog write JSON lines, and Serve none with a client's words."""
    logging.getLogger("ray.serve").addFilter(_without_words)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def where(error: BaseException) -> dict[str, Any]:
    """Say what failed where, without the message, which may quote a text."""
    frames = traceback.extract_tb(error.__traceback__)
    inner = getattr(error, "cause", None) or error.__cause__
    numbers = (e.errno for e in (error, inner) if isinstance(e, OSError) and e.errno)
    return {
        "error": type(error).__name__,
        "cause": type(inner).__name__ if inner else "",
        "errno": errno.errorcode.get(next(numbers, 0), ""),
        "frames": [f"{f.filename.rsplit('/', 2)[-1]}:{f.lineno} {f.name}" for f in frames[-8:]],
    }


def _without_words(record: logging.LogRecord) -> bool:
    """Let a refusal pass by its kind alone: its message may quote what a client sent."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, WranerError):
        record.msg = f"{record.msg} {type(error).__name__}"
        record.exc_info = record.exc_text = None
    return True
