"""Where a request comes from and who makes it, for what is recorded while it is answered (flows/origin.py)."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib.auth.models import User
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from flows import origin
from routing import caller


class OriginOfRequests:
    """Middleware. Both are looked up only where a change is recorded."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        with origin.coming_from(lambda: str(caller.of(request.META)), lambda: _person(request)):
            return self.get_response(request)


def _person(request: HttpRequest) -> User | None:
    user = getattr(request, "user", None)
    return user if isinstance(user, User) else None
