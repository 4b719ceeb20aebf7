"""Try an address and a token at a route, without calling it: which rule would refuse, and why.

The door's own checks look at a request that isn't sent, in the door's order; nothing is counted, noted or kept. What
takes a body (its size, its form, the schema) and how busy the route is at a moment isn't tried.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from flows.contents import ContentRefused
from flows.models import Environment, Status
from routing import admission, allowlist, caller, tokens
from routing.contract import target_of
from routing.explained import Explained, explained
from routing.models import Route, Token
from routing.problem import Problem

Meta = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Looked:
    """One check, and what was found: a sentence for those who look after the route, not for callers."""

    name: str
    found: str


@dataclass(frozen=True, slots=True)
class Trial:
    """The checks that were made, in the door's order; the last one refused where there is a `problem`."""

    looked: tuple[Looked, ...]
    problem: Problem | None = None

    @property
    def explained(self) -> Explained | None:
        return explained(self.problem.code) if self.problem else None


def attempt(route: Route, *, address: str, forwarded: str = "", token: str = "", method: str = "") -> Trial:
    """What would happen to a call from `address` (the peer), with `forwarded` as its X-Forwarded-For if it has one."""
    meta = {"REMOTE_ADDR": address.strip(), "REQUEST_METHOD": method or route.method}
    if forwarded.strip():
        meta["HTTP_X_FORWARDED_FOR"] = forwarded
    if token.strip():
        meta["HTTP_AUTHORIZATION"] = f"Bearer {token.strip()}"
    looked: list[Looked] = []
    for name, check, tell in _CHECKS:
        looked.append(Looked(name, tell(route, meta)))
        try:
            check(route, meta)
        except Problem as problem:
            return Trial(tuple(looked), problem)
    return Trial(tuple(looked))


def _check_deployed(route: Route, meta: Meta) -> None:
    try:
        target = target_of(route)
    except ContentRefused as error:
        raise Problem("content_refused") from error
    if target is None:
        raise Problem("not_deployed")


def _tell_active(route: Route, meta: Meta) -> str:
    return "The route is active." if route.is_active else "The route is switched off."


def _tell_address(route: Route, meta: Meta) -> str:
    found = caller.of(meta)
    if found.address is None:
        return f"No address could be read{_where_from(found)}."
    entries = allowlist.parse(route.allow).of(found.address)
    live = [entry for entry in entries if not entry.has_ended(allowlist.utc_today())]
    if live:
        return f"{found.address}{_where_from(found)} is on the allow-list: {live[0]}."
    if entries:
        return f"{found.address}{_where_from(found)} was on the allow-list, and that has ended: {entries[-1]}."
    return f"{found.address}{_where_from(found)} isn't on the allow-list."


def _where_from(found: caller.Caller) -> str:
    if found.forwarded is None:
        return "" if found.address else f" in “{found.seen}”"
    if str(found.address) == found.seen:
        return " (the peer isn't in TRUSTED_PROXIES, so X-Forwarded-For doesn't count)"
    return " (from X-Forwarded-For, since the peer is in TRUSTED_PROXIES)"


def _tell_method(route: Route, meta: Meta) -> str:
    return f"The route answers {route.method}; the call is a {meta['REQUEST_METHOD']}."


def _tell_token(route: Route, meta: Meta) -> str:
    try:
        text = tokens.presented(meta)
    except tokens.TokenRefused as error:
        return error.reason
    prefix = tokens.prefix(text)
    token = Token.objects.filter(route=route, prefix=prefix).first()
    if token is None:
        return f"No token of this route begins with {prefix}."
    if not tokens.matches(text, token.digest):
        return f"A token of this route begins with {prefix}, but the rest is another."
    if token.revoked_at is not None:
        return f"The token {token} was revoked on {token.revoked_at:%Y-%m-%d}."
    if token.expires_at is not None and token.expires_at <= timezone.now():
        return f"The token {token} expired on {token.expires_at:%Y-%m-%d}."
    return f"The token {token} opens this route."


def _tell_deployed(route: Route, meta: Meta) -> str:
    if route.environment == Environment.SANDBOX:
        return f"The draft of {route.flow.slug} answers, from step {route.step} on."
    version = route.flow.versions.filter(status=Status.DEPLOYED).first()
    return f"{version} answers, from step {route.step} on." if version else f"No version of {route.flow} is deployed."


def _tell_mode(route: Route, meta: Meta) -> str:
    return f"The mode of the route is: {route.get_mode_display()}."


_CHECKS: tuple[tuple[str, Callable[[Route, Meta], object], Callable[[Route, Meta], str]], ...] = (
    ("Route", lambda route, meta: admission.route_of(route.pk), _tell_active),
    ("Address", admission.check_address, _tell_address),
    ("Method", lambda route, meta: admission.check_method(meta["REQUEST_METHOD"], route.method), _tell_method),
    ("Token", admission.token_of, _tell_token),
    ("Flow", _check_deployed, _tell_deployed),
    ("Mode", lambda route, meta: admission.check_mode(route), _tell_mode),
)
"""What is looked at, how the door does it, and what to tell of it."""
