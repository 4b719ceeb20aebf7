"""Django's and DRF's own errors as problem documents, so that no program that calls us ever gets HTML or a trace."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest
from django.http.request import UnreadablePostError
from django.http.response import HttpResponseBase
from rest_framework import exceptions as drf
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from routing.problem import Answer, Problem, response

FOR_PEOPLE = {"": {"GET", "HEAD"}, "admin": {"GET", "HEAD", "POST"}, "static": {"GET", "HEAD"}}
"""What paths begin with whose answers people read, and how browsers ask; who asks otherwise is a program, or gropes."""

_BY_CLASS: list[tuple[type[Exception], str]] = [
    (Http404, "not_found"),
    (RequestDataTooBig, "too_large"),
    (PermissionDenied, "forbidden"),
    (SuspiciousOperation, "bad_request"),
    (BadRequest, "bad_request"),
    (UnreadablePostError, "bad_body"),
    (drf.MethodNotAllowed, "method_not_allowed"),
    (drf.UnsupportedMediaType, "unsupported_media_type"),
    (drf.NotFound, "not_found"),
    (drf.PermissionDenied, "forbidden"),
    (drf.NotAuthenticated, "token_required"),
    (drf.AuthenticationFailed, "token_refused"),
    (drf.Throttled, "rate_limited"),
]
"""The first row that fits decides, so a class stands above its parents."""

_BY_STATUS = {403: "forbidden", 404: "not_found", 405: "method_not_allowed", 413: "too_large", 503: "unavailable"}


AWAY = (OperationalError, InterfaceError)
"""The database is away or overloaded: not a bug, and soon over."""

log = logging.getLogger(__name__)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> Answer | None:
    """DRF's EXCEPTION_HANDLER. None leaves a bug to Django, which logs it, and then to ProblemDocuments."""
    if isinstance(error, Problem):
        return response(error)
    if isinstance(error, AWAY):
        log.error("The database is away.", exc_info=error)
        return response(Problem("unavailable", headers={"Retry-After": "5"}))
    code = next((code for kind, code in _BY_CLASS if isinstance(error, kind)), None)
    if code is None and isinstance(error, drf.APIException):
        code = _of_status(error.status_code)
    if code is None:
        return None
    allow = ", ".join(context["view"].allowed_methods) if code == "method_not_allowed" else ""
    return response(Problem(code, headers={"Allow": allow} if allow else {}))


class NoNegotiation(BaseContentNegotiation):
    """An answer has the form it has: `Accept` and `?format=` neither choose another nor make a 404 or 406."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser:
        return next(iter(parsers))

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class ProblemDocuments:
    """The outermost middleware: whatever the front door didn't make itself goes out as a problem document.

    That is Django's answer to an unknown host, a path that leads nowhere, too many fields, and a bug, with DEBUG too.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self.get_response(request)
        if isinstance(answer, Answer) or answer.status_code < 400 or not _by_a_program(request):
            return answer
        return response(_replacing(request, answer))


def _by_a_program(request: HttpRequest) -> bool:
    """Of a partner's pages people read the one, and only ever read it."""
    path = request.path_info.strip("/").lower()
    if path.startswith("partner/"):
        return path.endswith("/openapi.json") or request.method not in {"GET", "HEAD"}
    return request.method not in FOR_PEOPLE.get(path.partition("/")[0], ())


def _replacing(request: HttpRequest, other: HttpResponseBase) -> Problem:
    """The problem that stands for an answer which something other than the front door made."""
    status = other.status_code
    if status == 400 and not _host_is_known(request):
        return Problem("bad_host")
    headers = {name: other[name] for name in ("Allow", "Retry-After") if name in other}
    return Problem(_of_status(status), headers=headers, status=status)


def _of_status(status: int) -> str:
    return _BY_STATUS.get(status, "bad_request" if status < 500 else "server_error")


def _host_is_known(request: HttpRequest) -> bool:
    try:
        request.get_host()
    except DisallowedHost:
        return False
    return True
