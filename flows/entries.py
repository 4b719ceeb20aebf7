"""Where `routing` tells which steps its routes enter at; layers below ask here and know no route."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from flows.models import Flow

FindRoutes = Callable[[Flow], Iterable[tuple[int, bool, str]]]
"""The routes of a flow, as (step, whether it is a production route, what people call it)."""

_registered: dict[str, FindRoutes] = {}


def register_routes(find: FindRoutes) -> None:
    """Called once, from `AppConfig.ready()` of routing."""
    _registered["routes"] = find


def routes_into(flow: Flow) -> Iterable[tuple[int, bool, str]]:
    """The routes that enter a flow; none where routing isn't installed."""
    find = _registered.get("routes")
    return find(flow) if find is not None else ()
