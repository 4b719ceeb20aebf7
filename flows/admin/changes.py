"""The log of changes: an owner's or an approver's own entities, newest first, to be read and never written."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from flows.admin.run_list import RunList, TypedFilter
from flows.engine.strictjson import dumps, stored
from flows.models import Change, Entity
from flows.roles import entities_of, may
from flows.scoping import EntityAdmin, EntityFilter, may_anywhere, person

ABILITY = "see changes"
KINDS = {
    "membership": "Memberships",
    "user": "Accounts",
    "entity": "Entities",
    "channel": "Channels",
    "route": "Routes",
    "token": "Tokens",
    "connection": "Connections and secrets",
    "endpoint": "Endpoints",
    "key": "Keys",
    "settings": "Settings of the instance",
}
"""How subjects begin, and what people call them."""


class KindFilter(admin.SimpleListFilter):
    title = "what"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(KINDS.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(subject__startswith=f"{self.value()}:") if self.value() else queryset


class SubjectFilter(TypedFilter):
    """One thing: where the History button of its page leads."""

    title = "one thing, like route:3f62…"
    parameter_name = "subject"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(subject=self.value()) if self.value() else queryset


class PersonFilter(TypedFilter):
    title = "person (user name)"
    parameter_name = "person"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        return queryset.filter(by__in=list(User.objects.filter(username=self.value()).values_list("pk", flat=True)))


class DayFilter(TypedFilter):
    input_type = "date"
    lookup = ""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.value():
            return queryset
        try:
            day = datetime.combine(date.fromisoformat(str(self.value())), time(tzinfo=UTC))
        except ValueError:
            return queryset.none()
        return queryset.filter(**{self.lookup: day})


class Since(DayFilter):
    title = "day, from (UTC)"
    parameter_name = "since"
    lookup = "at__gte"


class Until(DayFilter):
    title = "day, before (UTC)"
    parameter_name = "until"
    lookup = "at__lt"


@admin.register(Change)
class ChangePage(EntityAdmin):
    about = (
        "Who changed what, when and from where: members, accounts, channels, routes, tokens, allow-lists, connections,"
        " endpoints, keys and settings. Nobody can edit or delete a row. Drafts and versions have a log of their own, on"
        " their pages."
    )
    when_empty = (
        "No change was recorded yet in an entity whose log you may read. Granting a role or making a route is one;"
        " owners and approvers see it here."
    )
    list_display = ("when", "who", "action", "what", "from_where", "entity")
    list_display_links = ("when",)
    list_filter = (EntityFilter, KindFilter, SubjectFilter, PersonFilter, Since, Until)
    list_select_related = ("entity", "by")
    sortable_by = ()
    fields = ("when", "who", "from_where", "action", "what", "subject", "entity", "differences", "seal")
    readonly_fields = fields
    can_add = can_change = can_delete = False

    # --- Who may -------------------------------------------------------------------------------------------------

    def entity_of(self, row: Any) -> Entity:
        """What belongs to no entity is for superusers, who are asked by `has_view_permission`."""
        assert isinstance(row, Change)
        return row.entity or Entity()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Entities by their ids: with a subquery in their place PostgreSQL may not see that the index serves."""
        mine = Q(entity__in=list(entities_of(person(request), ABILITY).values_list("pk", flat=True)))
        if person(request).is_superuser:
            mine |= Q(entity=None)
        return Change.objects.filter(mine).select_related("entity", "by").order_by("-id")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[RunList]:
        return RunList

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if not isinstance(request.user, User):
            return False
        if obj is None:
            return request.user.is_superuser or may_anywhere(request, ABILITY)
        return request.user.is_superuser if obj.entity is None else may(request.user, obj.entity, ABILITY)

    # --- Pages ---------------------------------------------------------------------------------------------------

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().change_view(request, object_id, form_url, {"title": "Change", **(extra_context or {})})

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """All that the log has of the same thing."""
        change = self.get_object(request, object_id)
        if change is None:
            return self.not_there(request, object_id)
        query = urlencode({"subject": change.subject})
        return HttpResponseRedirect(f"{reverse('admin:flows_change_changelist')}?{query}")

    # --- What is shown -------------------------------------------------------------------------------------------

    @admin.display(description="when (UTC)")
    def when(self, change: Change) -> str:
        return f"{change.at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="who")
    def who(self, change: Change) -> str:
        return str(change.by or "–")

    @admin.display(description="from where")
    def from_where(self, change: Change) -> str:
        return change.place

    @admin.display(description="what")
    def what(self, change: Change) -> str:
        kind = change.subject.partition(":")[0]
        return f"{kind} {change.title}" if change.title else change.subject

    @admin.display(description="what changed")
    def differences(self, change: Change) -> SafeString | str:
        rows = list(_rows(change))
        if not rows:
            return "Nothing besides what stands above: secrets and passwords are never shown."
        lines = format_html_join("", '<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>', rows)
        head = '<thead><tr><th scope="col">Field</th><th scope="col">Before</th><th scope="col">After</th></tr></thead>'
        return format_html("<table>" + head + "<tbody>{}</tbody></table>", lines)


def _rows(change: Change) -> Iterator[tuple[str, str, str]]:
    before, after = (stored(text) if text else {} for text in (change.before, change.after))
    for name in sorted({**before, **after}):
        was, becomes = _said(before.get(name)), _said(after.get(name))
        if was != becomes:
            yield name.replace("_", " "), was, becomes


def _said(value: Any) -> str:
    """A value in plain words."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_said, value)) or "–"
    return dumps(value) if isinstance(value, dict) else str(value)
