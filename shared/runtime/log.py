"""Logs: one JSON object a line, or readable lines on a terminal. Never copy, never secrets."""

from __future__ import annotations

import logging
import sys
from typing import Any

import orjson
import structlog
from structlog.typing import EventDict, WrappedLogger


def _lift_extra(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """FastStream passes its facts as one nested dict."""
    event.update(event.pop("extra", None) or {})
    return event


def _as_text(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


class _Libraries(logging.Handler):
    """What libraries log, in lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger(library=record.name)
        log.log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def configure(service: str, level: str) -> None:
    """Configure structlog once, for the process that is *service*; lines go to stderr."""
    terminal = sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if terminal
        else structlog.processors.JSONRenderer(serializer=_as_text)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _lift_extra,
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            )
            if not terminal
            else structlog.processors.StackInfoRenderer(),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level.upper())),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service)
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)
