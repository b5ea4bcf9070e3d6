"""Logs: one JSON object a line on standard error. Set up once per process, at its edge."""

import logging
import sys

import structlog


def log_as_json(level: int = logging.INFO) -> None:
    """Make structlog write JSON lines."""
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
