"""Routes: who may add and change them, and what they must be. Production routes take an Approver, others a Builder."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from flows import outside
from flows.changes import Facts, facts, record, subject_of
from flows.contributors import take_turn
from flows.engine.graph import Graph, read_graph
from flows.engine.protocols import Entry
from flows.engine.strictjson import loads, stored
from flows.issues import broken_from
from flows.models import Environment, Flow, Kind, Status
from flows.roles import require
from routing import allowlist
from routing.channels import why_no_routes
from routing.gets import forget_reason, why_unconfirmed
from routing.models import Route

ABILITY = {
    Environment.PRODUCTION: "manage production routes",
    Environment.SANDBOX: "manage sandbox routes",
}

GIVEN = frozenset(
    [
        "name",
        "step",
        "method",
        "allow",
        "is_async",
        "environment",
        "deadline_seconds",
        "rate_per_minute",
        "concurrency",
        "get_reason",
        "is_active",
    ]
)
"""Its environment is given once: a partner's address never begins to answer with a draft. The rest can be changed."""


def create_route(flow: Flow, *, by: User, **values: Any) -> Route:
    """A new route into `flow`; `values` as in GIVEN. Without a `step` it enters at the start.

    Raises PermissionDenied, ValidationError.
    """
    if reason := why_no_routes(flow.entity):
        raise ValidationError(reason)
    if "step" not in values:
        starts = _entered(flow, values.get("environment", Environment.PRODUCTION))[0].starts
        values["step"] = starts[0] if starts else 1
    route = Route(flow=flow, entity=flow.entity, created_by=by)
    return _save(route, values, by)


def change_route(route: Route, *, by: User, **values: Any) -> Route:
    """Change a route; it holds on the next request. Raises PermissionDenied, ValidationError."""
    _require(by, route)
    if values.get("environment", route.environment) != route.environment:
        raise ValidationError(
            {"environment": f"A route stays in its environment, here {route.environment}. Make another route."}
        )
    return _save(route, values, by)


def remove_route(route: Route, *, by: User) -> None:
    """Remove a route with its tokens; its runs stay. Raises PermissionDenied."""
    _require(by, route)
    with transaction.atomic():
        take_turn(route.entity_id)
        _record(route, "removed", by, before=_told(route), after=None)
        route.delete()


def require_manager(by: User, route: Route) -> None:
    """Raise PermissionDenied unless `by` may manage this route and its tokens."""
    _require(by, route)


def url_of(route: Route) -> str:
    """The address partners call."""
    return f"{settings.PUBLIC_URL}/dynamic/{route.pk}"


def routes_into(flow: Flow) -> list[tuple[int, bool, str]]:
    """What flows.entries asks: the steps at which routes enter a flow."""
    return [
        (route.step, route.environment == Environment.PRODUCTION, f"the route {route.name or route.pk}")
        for route in Route.objects.filter(flow=flow)
    ]


def _save(route: Route, values: dict[str, Any], by: User) -> Route:
    """Under the entity's turn, so that no deployment takes away a step while a route to it is being saved."""
    unknown = values.keys() - GIVEN
    if unknown:
        raise TypeError(f"A route has no {', '.join(sorted(unknown))} to change.")
    for name, value in values.items():
        setattr(route, name, value)
    with transaction.atomic():
        take_turn(route.entity_id)
        before = Route.objects.filter(pk=route.pk).first()
        route.allow = _canonical(route.allow)
        forget_reason(route, before, values)
        route.full_clean(exclude=["id", "entity", "created_by"])
        _require(by, route)
        if reason := why_not_step(route.flow, route.step, route.environment) or _why_broken(route):
            raise ValidationError({"step": reason})
        if reason := why_unconfirmed(route, before):
            raise ValidationError({"get_reason": reason})
        # Only what is given: a stale row must not take back a pause.
        route.save(update_fields=None if before is None else {*values, "get_reason"})
        route.refresh_from_db(fields=[*GIVEN, "mode"])
        action, was = ("changed", _told(before)) if before else ("made", None)
        _record(route, action, by, before=was, after=_told(route))
    return route


def _told(route: Route) -> dict[str, object]:
    """What the log of changes says of a route."""
    return {**facts(route, *GIVEN), "flow": route.flow.slug}


def _record(route: Route, action: str, by: User, *, before: Facts | None, after: Facts | None) -> None:
    subject, title = subject_of(route), str(route)
    record(route.entity, by=by, action=action, subject=subject, title=title, before=before, after=after)


def why_not_step(flow: Flow, step: int, environment: str) -> str:
    """Why a route can't enter the flow at `step`, as a sentence; empty where it can.

    In production the deployed version decides; until there is one, and in the sandbox, the draft does.
    """
    if flow.kind != Kind.DYNAMIC_API:
        return f"{flow.slug} isn't a Dynamic API flow, so no route can lead to it."
    graph, where = _entered(flow, environment)
    if step in graph.nodes:
        return ""
    return f"There is no step {step} in {where}; it has {', '.join(map(str, sorted(graph.nodes)[:20]))}."


def _why_broken(route: Route) -> str:
    """Why runs that come by this route would fail in the deployed version, as a sentence; empty where they wouldn't.

    Asked only of what brings runs there anew: whoever closes a route, or lets fewer in, isn't stopped.
    """
    brings_anew = not Route.objects.filter(pk=route.pk, step=route.step, is_active=True).exists()
    if route.environment != Environment.PRODUCTION or not (route.is_active and brings_anew):
        return ""
    flow = route.flow
    catalog = outside.catalog(flow.entity, route.environment, flow.kind)
    deployed = catalog.other_flow(flow.slug)
    if deployed is None:
        return ""
    broken = broken_from(deployed, flow.slug, flow.kind, Entry(route.step, "this route"), catalog)
    if not broken:
        return ""
    return f"Runs that enter {flow.slug} at step {route.step} would fail: {broken[0].message} {broken[0].hint}"


def _entered(flow: Flow, environment: str) -> tuple[Graph, str]:
    """The graph that routes of that environment enter, and what people call it."""
    deployed = flow.versions.filter(status=Status.DEPLOYED).select_related("content").first()
    if environment == Environment.PRODUCTION and deployed is not None:
        return read_graph(stored(deployed.content.text)["nodes"]), str(deployed)
    return read_graph(loads(flow.draft)), f"the draft of {flow.slug}"


def _canonical(text: str) -> str:
    try:
        return str(allowlist.parse(text))
    except allowlist.AllowListRefused as error:
        raise ValidationError({"allow": str(error)}) from None


def _require(by: User, route: Route) -> None:
    require(by, route.entity, ABILITY[Environment(route.environment)])
