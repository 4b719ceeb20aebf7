"""The admin's site: its name, the order of its menu, and on its first page what waits for whoever looks.

Not in flows.admin: loading that registers pages, which takes the site.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse

from flows.scoping import person
from flows.waiting import waiting_for

APPS = ("flows", "routing", "integrations", "auth")
MODELS = (
    ("DynamicApiFlow", "StandardFlow", "Version", "Run", "Membership", "Entity", "Change")
    + ("Channel", "Route")
    + ("Connection", "Endpoint", "Key")
)


def _place(name: str, order: tuple[str, ...]) -> tuple[int, str]:
    return (order.index(name) if name in order else len(order), name)


class ChatflowSite(admin.AdminSite):
    site_title = "Chatflow"
    site_header = "Chatflow"
    index_title = "Overview"
    site_url = None

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> Any:
        """The menu in the order of work, not of the alphabet."""
        apps = sorted(super().get_app_list(request, app_label), key=lambda app: _place(app["app_label"], APPS))
        for app in apps:
            app["models"].sort(key=lambda model: _place(model["object_name"], MODELS))
        return apps

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        waiting = waiting_for(person(request))
        return super().index(request, {"waiting": waiting, **(extra_context or {})})
