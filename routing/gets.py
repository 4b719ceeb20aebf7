"""Routes that answer GET: a flow that acts on the outside is behind one only where somebody said why that may be."""

from __future__ import annotations

from collections.abc import Collection

from flows import outside
from flows.acting import WHY_DANGEROUS, acting, flows_of, named
from flows.engine.graph import read_graph
from flows.engine.protocols import OtherFlow
from flows.engine.strictjson import loads
from flows.models import Entity, Environment
from routing.models import Method, Route


def unconfirmed_gets(entity: Entity) -> list[tuple[str, int, str]]:
    """What flows.entries asks: the active production routes of an entity that answer GET, and say no reason."""
    routes = Route.objects.filter(entity=entity, method=Method.GET, is_active=True, get_reason="")
    return [
        (route.flow.slug, route.step, f"the route {route.name or route.pk}")
        for route in routes.filter(environment=Environment.PRODUCTION).select_related("flow").defer("flow__draft")
    ]


def forget_reason(route: Route, before: Route | None, given: Collection[str]) -> None:
    """Take back the reason of a route that is about to be saved, where it was said about something else."""
    route.get_reason = route.get_reason.strip()
    if route.method != Method.GET or (_moved(route, before) and "get_reason" not in given):
        route.get_reason = ""


def why_unconfirmed(route: Route, before: Route | None) -> str:
    """What has to be said before this route may answer GET, as a sentence; empty where nothing has.

    Asked where runs come to act anew, also because a route is switched on; `before` is the route as it is stored.
    """
    if route.method != Method.GET or not route.is_active or route.get_reason:
        return ""
    if before is not None and before.is_active and not before.get_reason and not _moved(route, before):
        return ""
    steps = _acting(route)
    if not steps:
        return ""
    return (
        f"Runs of this route may come to {named(steps)}, and so act on the outside. {WHY_DANGEROUS} Take POST, or say"
        " why a GET may do that here."
    )


def _acting(route: Route) -> list[str]:
    """In production the deployed version decides; until there is one, and in the sandbox, the draft does."""
    flow = route.flow
    catalog = outside.catalog(flow.entity, route.environment, flow.kind)
    entered = catalog.other_flow(flow.slug) or OtherFlow(read_graph(loads(flow.draft)), catalog.find)
    return acting(flow.slug, route.step, flows_of(catalog, {flow.slug: entered}))


def _moved(route: Route, before: Route | None) -> bool:
    return before is not None and (before.step, before.method) != (route.step, route.method)
