"""Logs: one JSON object a line on standard error, never a client's words.

Set up once per process, at its edge.
"""

import logging
import sys

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


def _without_words(record: logging.LogRecord) -> bool:
    """Let a refusal pass by its kind alone: its message may quote what a client sent."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, WranerError):
        record.msg = f"{record.msg} {type(error).__name__}"
        record.exc_info = record.exc_text = None
    return True
