"""Logs: one JSON object a line in production, coloured text in DEBUG; request and run ids on every line.

A body, a token, a query string or a secret never gets into a log: a line says which request it was by method and path.
"""

from __future__ import annotations

import logging
from typing import Any

import structlog
from django.http import HttpRequest
from django_structlog.middlewares import RequestMiddleware
from structlog.typing import Processor

MAX_TOLD = 200
"""Characters of what somebody outside made up, in one line."""

_EVERY_LINE: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
]


class RequestLog(RequestMiddleware):
    """One line per request. The query string stays out: partners put secrets there."""

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return f"{request.method} {request.path[:MAX_TOLD]}"


_ANYBODYS = ("DisallowedHost", "RequestDataTooBig", "SuspiciousOperation", "TooManyFieldsSent", "TooManyFilesSent")
"""Refusals of Django that anybody can bring about, without a token or a password."""


class Brief(logging.Filter):
    """A warning of one short line in place of an error with its trace: nobody outside may fill the log."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.msg, record.args = record.getMessage()[:MAX_TOLD], None
        record.exc_info = record.exc_text = None
        return True


def configure() -> None:
    """Sends structlog through the standard library, where `dictionary` formats it."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_EVERY_LINE,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def dictionary(*, readable: bool, level: str) -> dict[str, Any]:
    """Django's LOGGING."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    *_rendering(readable),
                ],
                "foreign_pre_chain": _EVERY_LINE,
            }
        },
        "filters": {"brief": {"()": Brief}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # RequestLog writes its own line for each of these.
            "django.request": {"level": "CRITICAL"},
            "django.server": {"level": "WARNING"},
            **{f"django.security.{name}": {"filters": ["brief"]} for name in _ANYBODYS},
            # Otherwise Celery prints a task's arguments.
            "celery.worker.strategy": {"level": "WARNING"},
            "celery.app.trace": {"level": "WARNING"},
        },
    }


def _rendering(readable: bool) -> list[Processor]:
    if readable:
        return [structlog.dev.ConsoleRenderer(colors=False)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
