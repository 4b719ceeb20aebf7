"""What the commands about routes share: which route is meant, and which option a refusal is about."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.core.management.base import CommandError

from flows.models import Entity
from flows.roles import entities_of
from routing.models import Route

OPTIONS = {
    "name": "--name",
    "step": "--step",
    "method": "--method",
    "allow": "--allow",
    "environment": "--environment",
    "deadline_seconds": "--deadline",
    "rate_per_minute": "--rate",
    "concurrency": "--concurrency",
    "get_reason": "--get-reason",
    "expires_at": "--expires",
}
"""Fields of routes and tokens to the options that give them."""


def route_of(name: str, slug: str | None, user: User | None) -> Route:
    """The route of that id or URL, in an entity that the user (everybody, without one) may view. Raises CommandError."""
    entities = entities_of(user) if user is not None else Entity.objects.all()
    if slug:
        entities = entities.filter(slug=slug)
    routes = Route.objects.filter(entity__in=entities).select_related("entity", "flow")
    found = routes.filter(pk=name.rstrip("/").rpartition("/")[2]).first()
    if found is None:
        raise CommandError(f"There is no route {name!r}; `manage.py route list` shows them.")
    return found
