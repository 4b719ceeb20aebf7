"""Routes from the terminal."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from flows.commanding import acting, add_actor, entity_for, flow_of, one_clear_line
from flows.models import Environment, Status
from routing.commanding import OPTIONS, route_of
from routing.models import Method, Route
from routing.route_tokens import create_token
from routing.routes import change_route, create_route, remove_route, url_of


class Command(BaseCommand):
    help = "Create, change, remove and list routes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        create = verbs.add_parser("create", help="Create a route and a token; prints both as JSON, alone on stdout.")
        add_actor(create)
        create.add_argument("--flow", required=True, metavar="SLUG", help="the flow it leads to")
        create.add_argument("--step", type=int, metavar="N", help="the step it enters at; default: the start node")
        create.add_argument("--method", default=Method.POST, choices=Method.values, help="default: POST")
        create.add_argument("--allow", required=True, metavar="LIST", help='callers, like "0.0.0.0/0;::/0"')
        create.add_argument("--async", dest="is_async", action="store_true", help="answer 202 and run in a worker")
        create.add_argument("--environment", default=Environment.PRODUCTION, choices=Environment.values)
        create.add_argument(
            "--deadline", type=int, default=25, metavar="SECONDS", help="a synchronous caller waits this long"
        )
        create.add_argument("--rate", type=int, metavar="N", help="requests a minute; default: no limit")
        create.add_argument("--name", default="", help="for people")
        change = verbs.add_parser("change", help="Change a route; it holds on the next request.")
        add_actor(change)
        change.add_argument("route", help="the route's id or URL")
        change.add_argument("--step", type=int, metavar="N", help="the step it enters at")
        change.add_argument("--allow", metavar="LIST", help='callers, like "0.0.0.0/0;::/0"')
        change.add_argument("--active", choices=("yes", "no"), help="whether it answers at all")
        remove = verbs.add_parser("remove", help="Remove a route with its tokens; its runs stay.")
        add_actor(remove)
        remove.add_argument("route", help="the route's id or URL")
        listing = verbs.add_parser("list", help="List routes, a line each.")
        add_actor(listing)

    def handle(self, *args: Any, **options: Any) -> None:
        with one_clear_line(OPTIONS):
            getattr(self, options["verb"])(**options)

    def create(self, **options: Any) -> None:
        user = acting(options["actor"])
        flow = flow_of(entity_for(options["entity"], user), options["flow"])
        values = {name: options[name] for name in ("name", "method", "allow", "is_async", "environment")}
        if options["step"] is not None:
            values["step"] = options["step"]
        route = create_route(
            flow, by=user, deadline_seconds=options["deadline"], rate_per_minute=options["rate"], **values
        )
        _, token = create_token(route, by=user, name="first")
        self.stdout.write(json.dumps({"url": url_of(route), "token": token}))
        if route.environment == Environment.PRODUCTION and not flow.versions.filter(status=Status.DEPLOYED).exists():
            self.stderr.write(
                f"No version of {flow.slug} is deployed yet: until then the route answers 503 not_deployed."
            )

    def change(self, **options: Any) -> None:
        user = acting(options["actor"])
        route = route_of(options["route"], options["entity"], user)
        values = {name: options[name] for name in ("step", "allow") if options[name] is not None}
        if options["active"] is not None:
            values["is_active"] = options["active"] == "yes"
        if not values:
            raise CommandError("Say what to change: --step N, --allow LIST or --active yes|no.")
        change_route(route, by=user, **values)
        self.stdout.write(_line(route))

    def remove(self, **options: Any) -> None:
        user = acting(options["actor"])
        route = route_of(options["route"], options["entity"], user)
        url = url_of(route)
        remove_route(route, by=user)
        self.stdout.write(f"Removed {url}.")

    def list(self, **options: Any) -> None:
        user = acting(options["actor"]) if options["actor"] else None
        entity = entity_for(options["entity"], user)
        for route in Route.objects.filter(entity=entity).select_related("flow")[:1000]:
            self.stdout.write(_line(route))


def _line(route: Route) -> str:
    mode = "async" if route.is_async else "sync"
    state = "active" if route.is_active else "not active"
    parts = [url_of(route), route.method, route.flow.slug, str(route.step), route.environment, mode, route.allow, state]
    return "\t".join(parts)
