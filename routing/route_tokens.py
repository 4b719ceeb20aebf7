"""The tokens of routes: creating, revoking, and finding the one that a request presents."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from flows.changes import facts, record, subject_of
from flows.commits import commit
from flows.contributors import take_turn
from routing import tokens
from routing.models import Route, Token
from routing.routes import require_manager

MAX_LIVE = 10
"""Live tokens of one route: two for a rotation, and some for partners who share it."""

USED_EVERY = timedelta(minutes=1)
"""How exact `last_used_at` is: a write per request would cost more than the answer is worth."""


def create_token(route: Route, *, by: User, name: str = "", expires_at: datetime | None = None) -> tuple[Token, str]:
    """A new token, and its text, which is nowhere else: show it once. Raises PermissionDenied, ValidationError."""
    require_manager(by, route)
    if expires_at is not None and expires_at <= timezone.now():
        raise ValidationError({"expires_at": "The token would have expired already. Give a time to come."})
    minted = tokens.mint()
    token = Token(
        route=route, prefix=minted.prefix, digest=minted.digest, name=name, expires_at=expires_at, created_by=by
    )
    with transaction.atomic():
        take_turn(route.entity_id)
        if live_tokens(route).count() >= MAX_LIVE:
            raise ValidationError(f"The route has {MAX_LIVE} live tokens. Revoke one that nobody uses any more.")
        token.full_clean(exclude=["route", "created_by"])
        token.save(force_insert=True)
        _record(token, "made", by)
    return token, minted.text


def revoke_token(token: Token, *, by: User) -> Token:
    """End a token; it holds on the next request. Revoking twice changes nothing. Raises PermissionDenied."""
    require_manager(by, token.route)
    with transaction.atomic():
        take_turn(token.route.entity_id)
        if Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            _record(token, "revoked", by)
    token.refresh_from_db()
    return token


def live_tokens(route: Route) -> QuerySet[Token]:
    """The tokens that open the route now."""
    return Token.objects.filter(_lives(timezone.now()), route=route)


def find_token(route: Route, text: str) -> Token | None:
    """The live token of this route with that text; None, after the same work, for any other text."""
    token = Token.objects.filter(route=route, prefix=tokens.prefix(text)).first()
    if not tokens.matches(text, token.digest if token else None) or token is None:
        return None
    now = timezone.now()
    if token.revoked_at is not None or (token.expires_at is not None and token.expires_at <= now):
        return None
    return token


def note_use(token: Token) -> None:
    """Remember that the token was used, once a minute at most."""
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - USED_EVERY:
        commit(lambda: Token.objects.filter(pk=token.pk).update(last_used_at=now))


def _record(token: Token, action: str, by: User) -> None:
    """By its prefix, as the list of tokens and a run's page name it."""
    route = token.route
    about = {**facts(token, "prefix", "name", "expires_at"), "route": str(route), "route_id": route.pk}
    gone = action == "revoked"
    record(
        route.entity,
        by=by,
        action=action,
        subject=subject_of(token),
        title=f"{token} for {route}",
        before=about if gone else None,
        after=None if gone else about,
    )


def _lives(now: datetime) -> Q:
    return Q(revoked_at=None) & (Q(expires_at=None) | Q(expires_at__gt=now))
