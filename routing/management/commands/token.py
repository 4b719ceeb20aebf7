"""Tokens of routes from the terminal."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_datetime
from django.utils.timezone import is_naive

from flows.commanding import acting, add_actor, one_clear_line
from flows.models import Entity
from flows.roles import entities_of, may
from routing.models import Route, Token
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
        with one_clear_line():
            getattr(self, options["verb"])(**options)

    def create(self, **options: Any) -> None:
        user = acting(options["actor"])
        route = _route(options["route"], options["entity"], user)
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
        for token in Token.objects.filter(route=_route(options["route"], options["entity"], user)):
            state = "revoked" if token.revoked_at else "live"
            used = token.last_used_at.isoformat(timespec="seconds") if token.last_used_at else "never used"
            self.stdout.write(f"{token.prefix}\t{state}\t{token.name}\t{used}")


def _route(name: str, slug: str | None, user: User | None) -> Route:
    """The route of that id or URL, in an entity that the user (everybody, without one) may view. Raises CommandError."""
    entities = entities_of(user) if user is not None else Entity.objects.all()
    if slug:
        entities = entities.filter(slug=slug)
    routes = Route.objects.filter(entity__in=entities).select_related("entity", "flow")
    found = routes.filter(pk=name.rstrip("/").rpartition("/")[2]).first()
    if found is None:
        raise CommandError(f"There is no route {name!r}; `manage.py route list` shows them.")
    return found


def _time(text: str) -> datetime:
    """The moment that was meant. Raises CommandError."""
    try:
        found = parse_datetime(text)
        if found is not None and not is_naive(found):
            return found.astimezone(UTC)
    except (ValueError, OverflowError):  # 30 February, or a year that another zone doesn't have
        pass
    raise CommandError(f"--expires takes a time with its zone, like 2027-01-31T00:00:00Z; {text!r} isn't one.")
