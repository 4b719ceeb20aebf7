"""Where `routing` tells of its routes: which steps they enter at, which of them have to be confirmed. Layers below know
no route, and ask here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flows.models import Entity, Flow

FindRoutes = Callable[[Flow], Iterable[tuple[int, bool, str]]]
"""The routes of a flow, as (step, whether it is a production route, what people call it)."""

FindGets = Callable[[Entity], Iterable[tuple[str, int, str]]]
"""Routes of an entity that answer GET, as (slug of the flow, step, what people call it)."""

_registered: dict[str, FindRoutes] = {}
_unconfirmed: dict[str, FindGets] = {}


def register_routes(find: FindRoutes, unconfirmed: FindGets) -> None:
    """Called once, from `AppConfig.ready()` of routing."""
    _registered["routes"] = find
    _unconfirmed["routes"] = unconfirmed


def routes_into(flow: Flow) -> Iterable[tuple[int, bool, str]]:
    """The routes that enter a flow; none where routing isn't installed."""
    find = _registered.get("routes")
    return find(flow) if find is not None else ()


def unconfirmed_gets(entity: Entity) -> Iterable[tuple[str, int, str]]:
    """The active production routes that answer GET, without a reason why it may act on the outside (flows.acting)."""
    find = _unconfirmed.get("routes")
    return find(entity) if find is not None else ()
