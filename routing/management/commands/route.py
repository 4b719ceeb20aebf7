"""Routes from the terminal."""

from __future__ import annotations

import json
import os
from argparse import SUPPRESS, ArgumentParser, ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from flows.commanding import acting, add_actor, entity_for, flow_of, one_clear_line
from flows.holding import held_count
from flows.models import Environment, Status
from routing import allowlist, modes
from routing.commanding import OPTIONS, route_of
from routing.models import Method, Mode, Route
from routing.route_tokens import create_token
from routing.routes import GIVEN, change_route, create_route, remove_route, url_of
from routing.trying import attempt

ROUTE = "the route's id or URL"


class Command(BaseCommand):
    help = "Create, change, remove, pause, try and list routes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        create = verbs.add_parser("create", help="Create a route and a token; prints both as JSON, alone on stdout.")
        add_actor(create)
        create.add_argument("--flow", required=True, metavar="SLUG", help="the flow it leads to")
        create.add_argument("--async", dest="is_async", action="store_true", help="answer 202 and run in a worker")
        create.add_argument("--environment", default=Environment.PRODUCTION, choices=Environment.values)
        _add_values(create, allow_required=True)
        change = verbs.add_parser("change", help="Change a route; it holds on the next request.")
        change.add_argument("route", help=ROUTE)
        add_actor(change)
        _add_values(change)
        change.add_argument("--active", choices=("yes", "no"), help="whether it answers at all")
        for verb, does in MODES.items():
            one = verbs.add_parser(verb, help=does)
            one.add_argument("route", help=ROUTE)
            add_actor(one)
        trying = verbs.add_parser(
            "try", help="Say which rule would refuse a call, without making one; exit code 1 then."
        )
        trying.add_argument("route", help=ROUTE)
        add_actor(trying)
        trying.add_argument("--address", required=True, metavar="A", help="where the call comes from: the peer")
        trying.add_argument("--forwarded", default="", metavar="TEXT", help="its X-Forwarded-For, if a proxy sends one")
        trying.add_argument("--token-from-env", metavar="NAME", help="the environment variable that holds the token")
        trying.add_argument("--method", default="", choices=Method.values, help="default: the route's own")
        remove = verbs.add_parser("remove", help="Remove a route with its tokens; its runs stay.")
        remove.add_argument("route", help=ROUTE)
        add_actor(remove)
        listing = verbs.add_parser("list", help="List routes, a line each.")
        add_actor(listing)

    def handle(self, *args: Any, **options: Any) -> None:
        with one_clear_line(OPTIONS):
            verb = options["verb"]
            getattr(self, "set_mode" if verb in MODES else f"do_{verb}")(**options)

    def do_create(self, **options: Any) -> None:
        user = acting(options["actor"])
        flow = flow_of(entity_for(options["entity"], user), options["flow"])
        route = create_route(flow, by=user, **_values(options))
        _, token = create_token(route, by=user, name="first")
        self.stdout.write(json.dumps({"url": url_of(route), "token": token}))
        if route.environment == Environment.PRODUCTION and not flow.versions.filter(status=Status.DEPLOYED).exists():
            self.stderr.write(
                f"No version of {flow.slug} is deployed yet: until then the route answers 503 not_deployed."
            )
        self._warn(route)

    def do_change(self, **options: Any) -> None:
        user = acting(options["actor"])
        route = route_of(options["route"], options["entity"], user)
        values = _values(options)
        if options["active"] is not None:
            values["is_active"] = options["active"] == "yes"
        if not values:
            raise CommandError("Say what to change, such as --allow LIST or --active yes|no; --help lists all options.")
        self.stdout.write(_line(change_route(route, by=user, **values)))
        if "allow" in values:
            self._warn(route)

    def do_remove(self, **options: Any) -> None:
        user = acting(options["actor"])
        route = route_of(options["route"], options["entity"], user)
        url = url_of(route)
        remove_route(route, by=user)
        self.stdout.write(f"Removed {url}.")

    def set_mode(self, **options: Any) -> None:
        user = acting(options["actor"])
        route = route_of(options["route"], options["entity"], user)
        change = {"pause": modes.pause, "drain": modes.drain, "open": modes.open_again}[options["verb"]]
        change(route, by=user)
        self.stdout.write(f"{route.get_mode_display()}. Runs that wait for it to open: {held_count(route.pk)}.")

    def do_try(self, **options: Any) -> None:
        user = acting(options["actor"]) if options["actor"] else None
        route = route_of(options["route"], options["entity"], user)
        call = {name: options[name] for name in ("address", "forwarded", "method")}
        trial = attempt(route, token=_secret(options["token_from_env"]), **call)
        for looked in trial.looked:
            self.stdout.write(f"{looked.name}: {looked.found}")
        if trial.problem and trial.explained:
            told = f"{trial.problem.status} {trial.problem.code}. {trial.explained.why} {trial.explained.advice}"
            raise CommandError(f"Such a call is refused with {told}")
        self.stdout.write("Such a call is let in.")

    def do_list(self, **options: Any) -> None:
        user = acting(options["actor"]) if options["actor"] else None
        entity = entity_for(options["entity"], user)
        for route in Route.objects.filter(entity=entity).select_related("flow")[:1000]:
            self.stdout.write(_line(route))

    def _warn(self, route: Route) -> None:
        for warning in allowlist.parse(route.allow).warnings:
            self.stderr.write(warning)


MODES = {
    "pause": "Keep asynchronous calls and start none of them, refuse the others with 503.",
    "drain": "Refuse new calls with 503, and finish what was accepted.",
    "open": "Take calls again, and start what was kept.",
}
"""Verbs that change whether a route takes calls, and what they do."""


def _add_values(parser: ArgumentParser, *, allow_required: bool = False) -> None:
    """What can be said of a route. What isn't said is left as it is, or as a new route has it."""

    def add(option: str, field: str, said: str, **more: Any) -> None:
        parser.add_argument(option, dest=field, default=SUPPRESS, help=said, **more)

    callers = 'who may call, like "0.0.0.0/0;::/0" or "203.0.113.7 until 2027-03-31 # Ann"'
    add("--allow", "allow", callers, metavar="LIST", required=allow_required)
    add("--name", "name", "for people")
    add("--step", "step", "the step it enters at; a new route: the start node", type=int, metavar="N")
    add("--method", "method", "a new route: POST", choices=Method.values)
    add("--get-reason", "get_reason", "why a GET may act on the outside", metavar="TEXT")
    add("--deadline", "deadline_seconds", "a synchronous caller waits this long", type=int, metavar="SECONDS")
    add("--rate", "rate_per_minute", "calls a minute, or none for no limit", type=_limit, metavar="N")
    add("--concurrency", "concurrency", "calls at once, or none for the default", type=_limit, metavar="N")


def _values(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in GIVEN if name in options}


def _limit(text: str) -> int | None:
    if text == "none":
        return None
    try:
        return int(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is neither a number nor “none”.") from None


def _secret(variable: str | None) -> str:
    if variable is None:
        return ""
    if variable not in os.environ:
        raise CommandError(f"--token-from-env: there is no environment variable {variable}.")
    return os.environ[variable]


def _line(route: Route) -> str:
    mode = "async" if route.is_async else "sync"
    state = "active" if route.is_active else "not active"
    state += "" if route.mode == Mode.OPEN else f", {route.mode}"
    allow = "; ".join(map(str, allowlist.parse(route.allow).entries))
    return "\t".join(
        [url_of(route), route.method, route.flow.slug, str(route.step), route.environment, mode, allow, state]
    )
