"""A version: what is in it, who worked on it, what was decided, and the buttons for who may decide."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.views.decorators.http import require_POST

from flows import lifecycle
from flows.admin.differences import differences
from flows.admin.imports import flow_page
from flows.engine.strictjson import pretty, stored
from flows.models import Decision, Status, Version
from flows.notices import next_actors
from flows.scoping import EntityAdmin, FlowEntityFilter, person, posted


@admin.register(Version)
class VersionPage(EntityAdmin):
    """Versions are made by submitting and never changed by hand: this page shows, and its buttons decide."""

    entity_path = "flow__entity"
    about = "A version is a draft as it was submitted. It is made on the flow's page, and never changes."
    when_empty = "No version yet. A builder submits a flow's draft on the flow's page; that makes the first."
    list_display = ("__str__", "entity", "status", "submitted_by", "submitted_at")
    list_filter = (FlowEntityFilter, "status")
    search_fields = ("flow__slug", "flow__name")
    search_help_text = "Slug or name of a flow."
    list_select_related = ("flow__entity", "submitted_by")
    change_form_template = "admin/flows/version.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("flow__entity")

    @admin.display(description="entity")
    def entity(self, version: Version) -> str:
        return str(version.flow.entity)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.decide))
        return [path("<int:version_id>/<str:name>/decide/", view, name="flows_version_decide"), *super().get_urls()]

    def decide(self, request: HttpRequest, version_id: int, name: str) -> HttpResponse:
        """Make a transition, or say why not."""
        version = self.get_object(request, str(version_id))
        if version is None:
            return self.not_there(request, str(version_id))
        version.status = request.POST.get("status", version.status)
        try:
            decision = lifecycle.perform(name, version, by=person(request), comment=posted(request, "comment"))
        except lifecycle.Refused as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            now = decision.get_to_status_display().lower()
            self.message_user(request, f"{version} is {now} now.{_next_step(version)}", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:flows_version_change", args=[version_id]))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        version = self.get_object(request, object_id)
        if version is None:
            return self.not_there(request, object_id)
        return super().change_view(request, object_id, form_url, {**(extra_context or {}), **_shown(version, request)})


def _next_step(version: Version) -> str:
    if version.status == Status.DEPLOYED:
        return " Its production routes run it from the next request on."
    return f" {next_actors(version)}".rstrip()


def _shown(version: Version, request: HttpRequest) -> dict[str, Any]:
    user = person(request)
    content: Any = stored(version.content.text)
    decisions: list[Decision] = list(version.decisions.select_related("by"))
    return {
        "title": str(version),
        "version": version,
        "contributors": [row.user for row in version.contributors.select_related("user")],
        "next_actors": next_actors(version),
        "decisions": decisions,
        "buttons": [_button(transition, version, user) for transition in lifecycle.available(version)],
        "nodes": content["nodes"],
        "jumps": _jumps(content["nodes"]),
        "definitions": _definitions(content["definitions"]),
        "text": pretty(content),
        "draft_url": flow_page(version.flow),
        "runs_url": f"{reverse('admin:flows_run_changelist')}?flow={version.flow_id}",
        **_compared(version, content),
    }


def _compared(version: Version, content: Mapping[str, Any]) -> dict[str, Any]:
    """What would change if this version took the place of the deployed one."""
    deployed = version.flow.versions.filter(status=Status.DEPLOYED).exclude(pk=version.pk).first()
    if deployed is None:
        return {}
    before: Any = stored(deployed.content.text)
    return {"deployed": deployed, "differences": differences(before, content)}


def _button(transition: lifecycle.Transition, version: Version, user: Any) -> dict[str, Any]:
    return {
        "name": transition.name,
        "label": transition.label,
        "needs_reason": transition.needs_reason,
        "why_not": lifecycle.why_not(transition.name, version, user),
        "url": reverse("admin:flows_version_decide", args=[version.pk, transition.name]),
    }


def _jumps(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where the flow goes on in another flow: bound late, so the approver should know of it."""
    return [
        {"node": node["number"], "exit": name, **target}
        for node in nodes
        for name, target in node.get("exits", {}).items()
        if isinstance(target, dict)
    ]


def _definitions(definitions: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """What the flow uses, a line each: which addresses it calls and how it logs in there."""
    lines = []
    for kind, named in definitions.items():
        for name, content in named.items():
            about = (
                content.get("address")
                or f"{content.get('method', '')} {content.get('path', '')}".strip()
                or content.get("kind", "")
            )
            lines.append({"kind": kind, "name": name, "about": str(about)})
    return lines
