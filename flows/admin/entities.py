"""Entities and their members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from flows import erasure
from flows.admin.forgetting import ForgetForm
from flows.erasure import Found
from flows.members import GIVEN, change_entity, grant, make_entity, revoke
from flows.models import Entity, Membership
from flows.roles import entities_of
from flows.ruleforms import RulesAdmin, RulesForm
from flows.scoping import EntityAdmin, EntityFilter, may_here, person


@admin.register(Entity)
class EntityPage(EntityAdmin):
    """An owner may rename an entity; a superuser makes them. Nobody deletes one: its records are kept."""

    ability = "manage members"
    can_delete = False
    about = "An entity is the account that owns flows, routes and connections. Who may do what in it: Memberships."
    when_empty = "You belong to no entity yet. An owner of one grants you a role."
    list_display = ("name", "slug", "created_at")
    search_fields = ("slug", "name")
    change_form_template = "admin/flows/entity.html"

    def entity_of(self, row: Any) -> Entity:
        assert isinstance(row, Entity)
        return row

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return entities_of(person(request))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return person(request).is_superuser

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("slug",) if obj else ()

    def get_prepopulated_fields(self, request: HttpRequest, obj: Any = None) -> dict[str, Sequence[str]]:
        return {} if obj else {"slug": ("name",)}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.forget)
        return [path("<int:entity_id>/forget/", view, name="flows_entity_forget"), *super().get_urls()]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        entity = self.get_object(request, object_id)
        may_forget = entity is not None and may_here(request, entity, erasure.ABILITY)
        return super().change_view(request, object_id, form_url, {"may_forget": may_forget, **(extra_context or {})})

    def forget(self, request: HttpRequest, entity_id: int) -> HttpResponse:
        """Count what would be deleted; delete it once that is confirmed."""
        entity = self.get_object(request, str(entity_id))
        if entity is None:
            return self.not_there(request, str(entity_id))
        if not may_here(request, entity, erasure.ABILITY):
            raise PermissionDenied
        form = ForgetForm(entity, request.POST or None)
        found = None
        if form.is_valid():
            found = form.search(person(request), dry_run="delete" not in request.POST)
            if "delete" in request.POST:
                self.message_user(request, f"Deleted {found.deleted} runs of {entity}.{_left(found)}")
                return HttpResponseRedirect(self.page_of(entity))
        context = {"entity": entity, "form": form, "found": found, "title": "Forget a person"}
        return TemplateResponse(
            request, "admin/flows/forget.html", {**self.admin_site.each_context(request), **context}
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        values = {name: getattr(obj, name) for name in GIVEN}
        if change:
            change_entity(Entity.objects.get(pk=obj.pk), by=person(request), **values)
        else:
            obj.pk = make_entity(obj.slug, by=person(request), **values).pk
            self.message_user(request, f"Next, give people their roles in {obj} under Memberships; one is its owner.")


def _left(found: Found) -> str:
    return f" {len(found.unfinished)} that aren't over were left." if found.unfinished else ""


class MembershipForm(RulesForm):
    """People are named, not chosen: a list would tell an owner of everybody else's people."""

    user = forms.CharField(
        label="Person",
        max_length=254,
        help_text="User name or e-mail address. Not yourself: another owner or a superuser grants you roles.",
    )

    class Meta:
        fields = ("entity", "user", "role")
        help_texts = {
            "role": "Owner: members, channels, the log of changes, forgetting a person. Builder: drafts, endpoints, sandbox routes. Approver:"
            " approves and deploys, production routes and tokens, the log. Integrator: connections, keys, secrets."
            " Viewer: looks."
        }

    def clean_user(self) -> User:
        text = self.cleaned_data["user"].strip()
        found = list(User.objects.filter(Q(username=text) | Q(email__iexact=text), is_active=True)[:2])
        if not found:
            raise ValidationError(f"There is no active account {text!r}. A superuser makes accounts under Users.")
        if len(found) > 1:
            raise ValidationError(f"Several accounts have the address {text}; give the user name.")
        return found[0]

    def write(self) -> Membership:
        typed = self.cleaned_data
        if Membership.objects.filter(entity=typed["entity"], user=typed["user"], role=typed["role"]).exists():
            raise ValidationError({"role": f"{typed['user']} has this role in {typed['entity']} already."})
        return grant(typed["entity"], typed["user"], typed["role"], by=self.by)


@admin.register(Membership)
class MembershipPage(RulesAdmin):
    """Roles are granted and taken away, never changed; nobody grants one to themselves."""

    ability = "manage members"
    can_change = False
    form = MembershipForm
    fields = ("entity", "user", "role")
    about = (
        "A membership is one role of one person in one entity. People may have several; roles are granted by others."
    )
    when_empty = "Nobody has a role here yet."
    before_deleting = "The person loses this role at once. What they did is kept."
    list_display = ("user", "role", "entity", "granted_by", "granted_at")
    list_filter = (EntityFilter, "role")
    search_fields = ("user__username", "user__email")
    list_select_related = ("user", "entity", "granted_by")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("user", "entity")

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        revoke(obj, by=person(request))
