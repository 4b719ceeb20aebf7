"""Everything in the admin is seen and done within one's entities. Every ModelAdmin of ours derives from `EntityAdmin`.

What a person may do is asked of `flows.roles`, never of Django's own permissions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.contrib.auth.models import User
from django.db.models import Field, ForeignKey, Model, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest, HttpResponse

from flows.models import Entity
from flows.roles import entities_of, may

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


def person(request: HttpRequest) -> User:
    """Who asks. The admin lets nobody else in."""
    assert isinstance(request.user, User)
    return request.user


class EntityAdmin(ModelAdmin):
    """Scoped to the entities of whoever asks. `entity_path` leads from a row to its entity.

    `ability` is what adding, changing and deleting take (flows.roles); without one the model is read-only here.
    """

    entity_path: ClassVar[str] = "entity"
    ability: ClassVar[str] = ""
    can_add: ClassVar[bool] = True
    can_change: ClassVar[bool] = True
    can_delete: ClassVar[bool] = True
    list_per_page = 50
    show_full_result_count = False

    def entity_of(self, row: Any) -> Entity:
        """The entity that a row belongs to."""
        for part in self.entity_path.split("__"):
            row = row if part == "pk" else getattr(row, part)
        assert isinstance(row, Entity)
        return row

    def not_there(self, request: HttpRequest, row_id: str) -> HttpResponse:
        """Back to the admin's index with a message: there is no such row, or none that this person may see."""
        redirect: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, row_id)  # type: ignore[attr-defined]
        return redirect

    def ability_for(self, request: HttpRequest, row: Any) -> str:
        """The ability that changing this row takes."""
        return self.ability

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(**{f"{self.entity_path}__in": entities_of(person(request))})

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if not isinstance(request.user, User):
            return False
        return may(request.user, self.entity_of(obj), "view") if obj else entities_of(request.user).exists()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(self.can_add and self.ability) and entities_of(person(request), self.ability).exists()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.can_change and self._may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.can_delete and self._may(request, obj)

    def _may(self, request: HttpRequest, obj: Any) -> bool:
        if not isinstance(request.user, User) or not self.ability:
            return False
        if obj is None:
            return entities_of(request.user, self.ability).exists()
        return may(request.user, self.entity_of(obj), self.ability_for(request, obj))

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        """Offer only what belongs to an entity in which the person may do this."""
        model = db_field.related_model
        mine = entities_of(person(request), self.ability or "view")
        if model is Entity:
            kwargs["queryset"] = mine
            kwargs.setdefault("initial", mine.first() if mine.count() == 1 else None)
        elif isinstance(model, type) and issubclass(model, Model) and _has_entity(model):
            kwargs["queryset"] = model._default_manager.filter(entity__in=mine)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def _has_entity(model: type[Model]) -> bool:
    return any(isinstance(field, Field) and field.name == "entity" for field in model._meta.get_fields())


class EntityFilter(admin.SimpleListFilter):
    """Filter a list by one of one's own entities; not shown to who has only one. `path` leads from a row to it."""

    title = "entity"
    parameter_name = "entity"
    path = "entity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(entity.slug, entity.name) for entity in entities_of(person(request)).order_by("slug")[:100]]

    def has_output(self) -> bool:
        return len(self.lookup_choices) > 1

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{f"{self.path}__slug": self.value()}) if self.value() else queryset


class FlowEntityFilter(EntityFilter):
    """The same for rows that belong to a flow."""

    path = "flow__entity"
