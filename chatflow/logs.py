"""Logs: one JSON object a line in production, coloured text in DEBUG; request and run ids on every line.

A body, a token, a query string or a secret never gets into a log: a line says which request it was by method and path.
What an error, a traceback or a library quotes all the same is taken out of the finished line, by name and by value.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import traceback
from typing import Any

import structlog
from django.http import HttpRequest
from django_structlog.middlewares import RequestMiddleware
from structlog.typing import EventDict, Processor, WrappedLogger

from flows.known_secrets import bind, cleaned
from flows.secret_names import mask_named

MAX_TOLD = 200
"""Characters of what somebody outside made up, in one line."""

REDACTION_ERROR = "[redaction error]"

_OURS = frozenset({"event", "exc_info", "stack_info", "_record", "_from_structlog"})
"""Fields that structlog needs as they are."""

_EVERY_LINE: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
]


class RequestLog(RequestMiddleware):
    """One line per request. The query string stays out: partners put secrets there."""

    def prepare(self, request: HttpRequest) -> None:
        bind(None)  # what a run left behind that this thread worked on before
        super().prepare(request)

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


class Line(structlog.stdlib.ProcessorFormatter):
    """Writes a record as a line without secrets. Fails closed: what can't be cleaned isn't written."""

    def __init__(self, *, readable: bool, **settings: Any) -> None:
        super().__init__(**settings)
        self.readable = readable

    def format(self, record: logging.LogRecord) -> str:
        try:
            return cleaned(super().format(record))
        except Exception:  # noqa: BLE001 - whatever it was, its message may hold what the line must not show
            return REDACTION_ERROR if self.readable else json.dumps({"event": REDACTION_ERROR})


class StandardError(logging.StreamHandler[Any]):
    """Says that a line couldn't be written, without the line: Python would print its arguments."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def handleError(self, record: logging.LogRecord) -> None:
        sys.stderr.write(f"A line of the log {record.name} couldn't be written.\n")


def print_cleaned(kind: Any, error: Any, trace: Any, *_: Any) -> None:
    """What Python prints of an error that nobody caught, without secrets."""
    sys.stderr.write(cleaned("".join(traceback.format_exception(kind, error, trace))))


def without_named(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """A line's fields without what secret names name."""
    return {**event, **mask_named({name: value for name, value in event.items() if name not in _OURS})}


def configure() -> None:
    """Sends structlog through the standard library, where `dictionary` formats it; cleans what Python prints itself."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = print_cleaned
    if threading.excepthook is threading.__excepthook__:
        threading.excepthook = lambda told: print_cleaned(*told)
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
                "()": Line,
                "readable": readable,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    without_named,
                    *_rendering(readable),
                ],
                "foreign_pre_chain": _EVERY_LINE,
            }
        },
        "filters": {"brief": {"()": Brief}},
        "handlers": {"stderr": {"()": StandardError, "formatter": "line"}},
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
        # Not the default, which shows the local variables of every frame where `rich` is installed.
        return [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
