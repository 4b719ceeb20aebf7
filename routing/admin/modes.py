"""Pause, drain and open, from the page of a route: what each would do first, then the button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from django.contrib import messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern

from flows.holding import held_count
from flows.models import Run, RunState
from flows.ruleforms import RulesAdmin
from flows.scoping import person
from routing import modes
from routing.models import Mode, Route


class Verb(NamedTuple):
    """A change of mode: its button, what it does, and what is said afterwards."""

    label: str
    target: Mode
    change: Callable[..., Route]
    does: str
    done: str


VERBS = {
    "pause": Verb(
        "Pause",
        Mode.PAUSED,
        modes.pause,
        "Asynchronous calls are accepted and wait until the route is opened. Synchronous ones get 503. What has begun is"
        " finished.",
        "is paused: asynchronous calls wait, synchronous ones get 503.",
    ),
    "drain": Verb(
        "Drain",
        Mode.DRAINING,
        modes.drain,
        "New calls get 503. What was accepted is finished, also what waited because the route was paused.",
        "takes no new calls, and finishes what it has accepted.",
    ),
    "open": Verb(
        "Open",
        Mode.OPEN,
        modes.open_again,
        "Calls are taken again, and what waits is started.",
        "is open: calls are taken, and what waited is started.",
    ),
}


class ModeViews(RulesAdmin):
    """What the page of a route adds for its mode."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.set_mode)
        return [path("<slug:route_id>/mode/<slug:verb>/", view, name="routing_route_mode"), *super().get_urls()]

    def set_mode(self, request: HttpRequest, route_id: str, verb: str) -> HttpResponse:
        """Say what would happen; do it once that is confirmed."""
        route = self.get_object(request, route_id)
        if verb not in VERBS:
            raise Http404
        if route is None:
            return self.not_there(request, route_id)
        if not self.has_change_permission(request, route):
            raise PermissionDenied
        if request.method == "POST":
            return self._change(request, route, VERBS[verb])
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": f"{VERBS[verb].label} {route}?",
            "route": route,
            "verb": VERBS[verb],
            "standing": standing(route),
            "back_url": self.page_of(route),
        }
        return TemplateResponse(request, "admin/routing/mode.html", context)

    def _change(self, request: HttpRequest, route: Route, verb: Verb) -> HttpResponse:
        try:
            verb.change(route, by=person(request))
        except (ValidationError, PermissionDenied) as error:
            reason = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
            self.message_user(request, reason, messages.ERROR)
        else:
            self.log_change(request, route, f"{verb.label}.")
            self.message_user(request, f"{route} {verb.done}", messages.SUCCESS)
        return HttpResponseRedirect(self.page_of(route))


def mode_links(route: Route) -> list[dict[str, str]]:
    """The changes of mode that there are from where the route is."""
    return [
        {"label": verb.label, "does": verb.does, "url": reverse("admin:routing_route_mode", args=[route.pk, name])}
        for name, verb in VERBS.items()
        if verb.target != route.mode
    ]


def standing(route: Route) -> dict[str, Any]:
    """How many runs of the route wait for it to open, are queued for a worker, and run."""
    states = {"queued": RunState.QUEUED, "running": RunState.RUNNING}
    of_route = {name: Count("pk", filter=Q(route=route.pk, state=state)) for name, state in states.items()}
    # By the index of what is to be looked at: a route may have millions of runs that are over.
    return {"held": held_count(route.pk), **Run.objects.filter(wake_at__isnull=False).aggregate(**of_route)}
