"""Logs of structlog and of the standard library: one JSON object a line on stderr, without secrets and addresses."""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Literal

import structlog

from streams.collect.hiding import masked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from structlog.typing import EventDict, Processor, WrappedLogger

HIDDEN = "(hidden)"
# names of secrets in SASL and TLS, and names that people use
_SECRET_KEY = re.compile(r"passw|secret|token|authorization|credential|private|jaas|ssl[._]key[._]pem", re.IGNORECASE)
_SECRET_IN_TEXT = re.compile(
    r"(?i)(bearer\s+|(?:passw(?:or)?d|secret|token|credentials?)[\"']?\s*[=:]\s*[\"']?)([^\s\"',;&}]+)"
)
_SECRET_IN_URL = re.compile(r"(?<=://)[^/\s@]+:[^/\s@]+(?=@)")
_NOISY = {"aiokafka": logging.WARNING, "faust": logging.INFO, "mode": logging.WARNING, "aiohttp": logging.WARNING}


def configure(level: Literal["debug", "info", "warning", "error"], fmt: Literal["json", "console"]) -> None:
    """Route every logger of this process to stderr; called once, before anything logs; a second call replaces it."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: Processor = structlog.processors.JSONRenderer()
    if fmt == "console":
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    closing: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        # a traceback becomes text first: it may quote a secret too
        structlog.processors.format_exc_info,
        redact,
        renderer,
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=closing))
    root = logging.getLogger()
    root.handlers = [handler]
    least = getattr(logging, level.upper())
    root.setLevel(least)
    for name, floor in _NOISY.items():
        logger = logging.getLogger(name)
        # their own handlers would print every line a second time
        logger.handlers = []
        logger.propagate = True
        logger.setLevel(max(floor, least))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace values under a secret's name by `(hidden)`, at any depth, and also after such a name in a text.

    Addresses become hashes and phone numbers are cut: an error may quote what a producer sent.
    """
    for key, value in event.items():
        event[key] = HIDDEN if _SECRET_KEY.search(str(key)) else _redacted(value)
    return event


def _redacted(value: object) -> object:
    if isinstance(value, str):
        return masked(_SECRET_IN_URL.sub(HIDDEN, _SECRET_IN_TEXT.sub(rf"\1{HIDDEN}", value)))
    if isinstance(value, dict):
        return _redacted_mapping(value)
    if isinstance(value, list | tuple):
        return [_redacted(item) for item in value]
    return value


def _redacted_mapping(values: Mapping[object, object]) -> dict[str, object]:
    return {str(key): HIDDEN if _SECRET_KEY.search(str(key)) else _redacted(value) for key, value in values.items()}
