"""Entities and their members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest

from flows.members import grant, make_entity, revoke
from flows.models import Entity, Membership
from flows.roles import entities_of, may
from flows.scoping import EntityAdmin, EntityFilter, person


@admin.register(Entity)
class EntityPage(EntityAdmin):
    """An owner may rename an entity; a superuser makes them. Nobody deletes one: its records are kept."""

    ability = "manage members"
    can_delete = False
    entity_path = "pk"
    list_display = ("name", "slug", "created_at")
    search_fields = ("slug", "name")

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

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            obj.save()
        else:
            obj.pk = make_entity(obj.slug, obj.name, by=person(request)).pk


@admin.register(Membership)
class MembershipPage(EntityAdmin):
    """Roles are granted and taken away, never changed; nobody grants one to themselves."""

    ability = "manage members"
    can_change = False
    list_display = ("user", "role", "entity", "granted_by", "granted_at")
    list_filter = (EntityFilter, "role")
    search_fields = ("user__username", "user__email")
    list_select_related = ("user", "entity", "granted_by")
    autocomplete_fields = ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name == "user" and field is not None and field.queryset is not None:
            field.queryset = field.queryset.filter(is_active=True).exclude(pk=person(request).pk)
            field.help_text = "Not yourself: another owner or a superuser grants you roles."
        return field

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.pk = grant(obj.entity, obj.user, obj.role, by=person(request)).pk

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        revoke(obj, by=person(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for membership in queryset:
            revoke(membership, by=person(request))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and not (obj and _is_last_owner(obj))

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        try:
            return super().delete_view(request, object_id, extra_context)
        except PermissionDenied as error:
            row = self.get_object(request, object_id)
            if row is None or not may(person(request), row.entity, self.ability):
                raise
            self.message_user(request, str(error) or _LAST_OWNER, messages.ERROR)
            return self.response_delete(request, str(row), row.pk)


_LAST_OWNER = "The only owner of an entity can't be removed; make another one first."


def _is_last_owner(membership: Membership) -> bool:
    if membership.role != "owner":
        return False
    return Membership.objects.filter(entity=membership.entity, role="owner").count() == 1
