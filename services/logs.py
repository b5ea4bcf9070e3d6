"""Logs: one JSON object a line on standard error, never a client's words.

Set up once per process, at its edge.
"""

import logging
import sys

import structlog

from wraner.errors import WranerError


def log_as_json(level: int = logging.INFO) -> None:
    """Make structlog write JSON lines, and Serve none about refusals."""
    keep_refusals_out()
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


def keep_refusals_out() -> None:
    """Keep Serve from logging what is an answer: it quotes what the client sent."""
    logging.getLogger("ray.serve").addFilter(_is_no_refusal)


def _is_no_refusal(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], WranerError))
