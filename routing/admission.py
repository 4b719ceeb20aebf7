"""The checks a request passes before its body is looked at, in this order; each raises the Problem of its refusal.

Route, address, method, token, rate. What comes later needs the body and stands in `frontdoor`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from routing import allowlist, caller, tokens
from routing.models import Mode, Route, Token
from routing.problem import Problem
from routing.rate import limiter
from routing.route_tokens import find_token

CHALLENGE = 'Bearer realm="chatflow"'


def route_of(route_id: str) -> Route:
    """404"""
    route = Route.objects.filter(pk=route_id, is_active=True).first()
    if route is None:
        raise Problem("route_not_found")
    return route


def check_address(route: Route, meta: Mapping[str, Any]) -> None:
    """403"""
    found = caller.of(meta)
    if not allowlist.parse(route.allow).admits(found.address):
        raise Problem("address_refused", f"This route isn't open to {found}.")


def check_method(method: str, allowed: str) -> None:
    """405, also for HEAD and OPTIONS."""
    if method != allowed:
        raise Problem("method_not_allowed", f"This address answers to {allowed} only.", headers={"Allow": allowed})


def token_of(route: Route, meta: Mapping[str, Any]) -> Token:
    """401. Nobody is told whether a token is unknown, revoked, expired or of another route."""
    try:
        text = tokens.presented(meta)
    except tokens.TokenRefused as error:
        if error.missing:
            raise Problem("token_required", error.reason, headers={"WWW-Authenticate": CHALLENGE}) from error
        raise _refused(error.reason) from error
    token = find_token(route, text)
    if token is None:
        raise _refused()
    return token


def check_rate(route: Route) -> None:
    """429"""
    verdict = limiter().check(route.pk, route.rate_per_minute)
    if not verdict.allowed:
        raise Problem(
            "rate_limited",
            f"This route takes {route.rate_per_minute} requests a minute.",
            headers={"Retry-After": str(verdict.retry_after_seconds)},
        )


def check_mode(route: Route) -> None:
    """503 where the route takes no such call now (routing/modes.py). Asked only for what would start a new run."""
    if route.mode == Mode.DRAINING:
        raise Problem("route_draining", headers={"Retry-After": "60"})
    if route.mode == Mode.PAUSED and not route.is_async:
        raise Problem("route_paused", headers={"Retry-After": "30"})


def _refused(reason: str = "") -> Problem:
    return Problem("token_refused", reason, headers={"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token"'})
