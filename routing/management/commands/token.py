"""Tokens of routes from the terminal."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive, now

from flows.commanding import acting, add_actor, one_clear_line
from flows.roles import may
from routing.commanding import OPTIONS, route_of
from routing.models import Token
from routing.route_tokens import create_token, revoke_token
from routing.routes import url_of


class Command(BaseCommand):
    help = "Create, revoke and list the tokens of a route. A token is shown once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        create = verbs.add_parser("create", help="Create a token; prints URL and token as JSON, alone on stdout.")
        add_actor(create)
        create.add_argument("route", help="the route's id or URL")
        create.add_argument("--name", default="", help="whose token it is")
        create.add_argument("--expires", metavar="TIME", help="when it ends, like 2027-01-31T00:00:00Z; default: never")
        revoke = verbs.add_parser("revoke", help="Revoke a token; it holds on the next request.")
        add_actor(revoke)
        revoke.add_argument("prefix", help="the token's prefix, as `token list` shows it")
        listing = verbs.add_parser("list", help="List a route's tokens, without the tokens themselves.")
        add_actor(listing)
        listing.add_argument("route", help="the route's id or URL")

    def handle(self, *args: Any, **options: Any) -> None:
        with one_clear_line(OPTIONS):
            getattr(self, options["verb"])(**options)

    def create(self, **options: Any) -> None:
        user = acting(options["actor"])
        route = route_of(options["route"], options["entity"], user)
        expires_at = _time(options["expires"]) if options["expires"] else None
        _, text = create_token(route, by=user, name=options["name"], expires_at=expires_at)
        self.stdout.write(json.dumps({"url": url_of(route), "token": text}))

    def revoke(self, **options: Any) -> None:
        user = acting(options["actor"])
        token = Token.objects.filter(prefix=options["prefix"]).select_related("route__entity").first()
        if token is None or not may(user, token.route.entity, "view"):
            raise CommandError(f"There is no token with the prefix {options['prefix']!r}.")
        revoke_token(token, by=user)
        self.stdout.write(f"Revoked {token.prefix}.")

    def list(self, **options: Any) -> None:
        user = acting(options["actor"]) if options["actor"] else None
        for token in Token.objects.filter(route=route_of(options["route"], options["entity"], user)):
            used = f"used {_told(token.last_used_at)}" if token.last_used_at else "never used"
            ends = f"expires {_told(token.expires_at)}" if token.expires_at else "never expires"
            self.stdout.write(f"{token.prefix}\t{_state(token)}\t{token.name}\t{used}\t{ends}")


def _state(token: Token) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "expired" if token.expires_at is not None and token.expires_at <= now() else "live"


def _told(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _time(text: str) -> datetime:
    """The moment that was meant. Raises CommandError."""
    try:
        found = parse_datetime(text)
        if found is not None and not is_naive(found):
            return found.astimezone(UTC)
    except (ValueError, OverflowError):  # 30 February, or a year that another zone doesn't have
        pass
    raise CommandError(f"--expires takes a time with its zone, like 2027-01-31T00:00:00Z; {text!r} isn't one.")
