"""Pause, drain and open: how somebody holds up a route without taking it away.

    open        every call is taken
    paused      asynchronous calls are accepted and kept, and start when the route is opened; synchronous ones get 503
    draining    every new call gets 503; what was accepted is finished, also what a pause has kept

What is under way goes on in every mode, and the status addresses and calls that come again under their Idempotency-Key
are answered. Who may manage a route may change its mode; it holds on the next request.
"""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction

from flows import changes, holding
from flows.claims import held
from flows.contributors import take_turn
from routing.models import Mode, Route
from routing.routes import require_manager


def pause(route: Route, *, by: User) -> Route:
    """Keep what was accepted and hasn't begun, and what is accepted from now on. Raises as `_change` does."""
    return _change(route, Mode.PAUSED, by)


def drain(route: Route, *, by: User) -> Route:
    """Take nothing new, and finish what was accepted. Raises as `_change` does."""
    return _change(route, Mode.DRAINING, by)


def open_again(route: Route, *, by: User) -> Route:
    """Take calls again, and start what was kept. Raises as `_change` does."""
    return _change(route, Mode.OPEN, by)


def let_go_if_open(route_id: str) -> None:
    """After a call was accepted and kept: start it if the route was opened at that very moment."""
    if not Route.objects.filter(pk=route_id, mode=Mode.PAUSED).exists():
        holding.release(route_id)


def tidy() -> None:
    """What a process that was killed halfway through a change of mode has left: hold and release as the modes say."""
    for route_id in held().order_by().values_list("route", flat=True).distinct():
        let_go_if_open(route_id)
    for route_id in Route.objects.filter(mode=Mode.PAUSED).values_list("pk", flat=True):
        holding.hold(route_id)


def _change(route: Route, mode: Mode, by: User) -> Route:
    """Compare and set. Raises PermissionDenied, and ValidationError where the mode isn't as it was read any more."""
    require_manager(by, route)
    before = route.mode
    with transaction.atomic():
        take_turn(route.entity_id)
        if not Route.objects.filter(pk=route.pk, mode=before).update(mode=mode):
            raise ValidationError("Somebody has just changed the mode of this route, or removed it. Look at it again.")
        subject, title = changes.subject_of(route), str(route)
        was, becomes = {"mode": before}, {"mode": mode}
        changes.record(route.entity, by=by, action="changed", subject=subject, title=title, before=was, after=becomes)
    route.mode = mode
    if mode == Mode.PAUSED:
        holding.hold(route.pk)
    else:
        holding.release(route.pk)
    return route
