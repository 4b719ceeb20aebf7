"""Everything in the admin is seen and done within one's entities. Every ModelAdmin of ours derives from `EntityAdmin`.

What a person may do is asked of `flows.roles`, never of Django's own permissions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.contrib.auth.models import User
from django.core.exceptions import BadRequest, PermissionDenied, ValidationError
from django.db.models import Field, ForeignKey, Model, QuerySet
from django.forms import ModelChoiceField
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import capfirst

from flows.models import Change, Entity
from flows.roles import entities_of, may

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin


def person(request: HttpRequest) -> User:
    """Who asks. The admin lets nobody else in."""
    assert isinstance(request.user, User)
    return request.user


def posted(request: HttpRequest, name: str) -> str:
    """What was typed, without NUL characters, which no database of ours keeps."""
    return request.POST.get(name, "").replace("\x00", "")


class EntityAdmin(ModelAdmin):
    """Scoped to the entities of whoever asks. `entity_path` leads from a row to its entity.

    `ability` is what adding, changing and deleting take (flows.roles); without one the model is read-only here.
    `about` stands above the list and the form; `when_empty` says in an empty list how to begin.
    """

    entity_path: ClassVar[str] = "entity"
    ability: ClassVar[str] = ""
    can_add: ClassVar[bool] = True
    can_change: ClassVar[bool] = True
    can_delete: ClassVar[bool] = True
    about: ClassVar[str] = ""
    when_empty: ClassVar[str] = ""
    before_deleting: ClassVar[str] = ""
    write_only: ClassVar[tuple[str, ...]] = ()
    """Inputs that show nothing to people who may only look."""

    actions = None  # what is deleted goes by rules of its own, one by one
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    change_list_template = "admin/entity_list.html"
    change_form_template = "admin/entity_form.html"
    delete_confirmation_template = "admin/entity_delete.html"

    def entity_of(self, row: Any) -> Entity:
        """The entity that a row belongs to."""
        for part in self.entity_path.split("__"):
            row = row if part == "pk" else getattr(row, part)
        assert isinstance(row, Entity)
        return row

    def entities_for(self, request: HttpRequest) -> QuerySet[Entity]:
        """The entities in which this person may add rows."""
        return entities_of(person(request), self.ability) if self.ability else Entity.objects.none()

    def ability_for(self, request: HttpRequest, row: Any) -> str:
        """The ability that changing this row takes."""
        return self.ability

    def not_there(self, request: HttpRequest, row_id: str) -> HttpResponse:
        """Back to the admin's index with a message: there is no such row, or none that this person may see."""
        redirect: HttpResponse = self._get_obj_does_not_exist_redirect(request, self.opts, row_id)  # type: ignore[attr-defined]
        return redirect

    def page_of(self, row: Any) -> str:
        """The address of a row's own page."""
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[row.pk])

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The row, where there is one that this person may see. PostgreSQL would refuse to look for a NUL."""
        return None if "\x00" in object_id else super().get_object(request, object_id, from_field)

    # --- What is there -------------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(**{f"{self.entity_path}__in": entities_of(person(request))})

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Only what the filters of the list ask: any other lookup would let people guess at hidden fields."""
        assert request is not None
        allowed = set()
        for one in self.get_list_filter(request):
            if isinstance(one, str):
                allowed |= {one, f"{one}__exact", f"{one}__in"}
            elif isinstance(one, type) and issubclass(one, admin.SimpleListFilter):
                allowed.add(str(one.parameter_name))
        return lookup in allowed

    # --- Who may -------------------------------------------------------------------------------------------------

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return _may(request, self.entity_of(obj) if obj else None, "view")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.can_add and _may(request, None, self.ability)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.can_change and self._may(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.can_delete and self._may(request, obj)

    def _may(self, request: HttpRequest, obj: Any) -> bool:
        if obj is None:
            return _may(request, None, self.ability)
        return _may(request, self.entity_of(obj), self.ability_for(request, obj))

    # --- Pages ---------------------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        if any("\x00" in value for value in request.GET.values()):
            raise BadRequest("The address of the list holds a NUL character.")
        title = capfirst(str(self.opts.verbose_name_plural))
        context = {"title": title, "about": self.about, "when_empty": self.when_empty, **(extra_context or {})}
        return super().changelist_view(request, context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        context = {"about": "" if object_id else self.about, "subtitle": None, "show_save_and_add_another": False}
        return super().changeform_view(request, object_id, form_url, {**context, **(extra_context or {})})

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Where the rules refuse, their reason is a message on the row's own page."""
        try:
            return super().delete_view(
                request,
                object_id,
                {
                    "title": f"Delete {self.opts.verbose_name}",
                    "before_deleting": self.before_deleting,
                    **(extra_context or {}),
                },
            )
        except (ValidationError, PermissionDenied) as error:
            row = self.get_object(request, object_id)
            reason = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
            if row is None or not reason:
                raise
            self.message_user(request, reason, messages.ERROR)
            return HttpResponseRedirect(self.page_of(row))

    def history_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """What the log of changes has of the row, for whoever may see that; to others, and of the rest, Django's own."""
        row = self.get_object(request, object_id)
        logged = row is not None and Change.objects.filter(subject=f"{self.opts.model_name}:{row.pk}").exists()
        if logged and may_here(request, self.entity_of(row), "see changes"):
            return HttpResponseRedirect(history_of(row))
        return super().history_view(request, object_id, extra_context)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """The rules of each thing say what may go, and what goes with it."""
        return [str(row) for row in objs], {}, set(), []

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return fieldsets
        return [
            (title, {**options, "fields": [name for name in options["fields"] if name not in self.write_only]})
            for title, options in fieldsets
        ]

    def formfield_for_dbfield(self, db_field: Field[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        """No pop-ups beside a choice: they lead to pages that few may open."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field is not None and isinstance(field.widget, RelatedFieldWidgetWrapper):
            field.widget = field.widget.widget
        return field

    def formfield_for_foreignkey(
        self, db_field: ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any
    ) -> ModelChoiceField[Any] | None:
        """Offer only what belongs to an entity in which the person may do this."""
        model = db_field.related_model
        mine = self.entities_for(request)
        if model is Entity:
            kwargs["queryset"] = mine
            kwargs.setdefault("initial", mine.first() if mine.count() == 1 else None)
        elif isinstance(model, type) and issubclass(model, Model) and _has_entity(model):
            kwargs["queryset"] = model._default_manager.filter(entity__in=mine)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


def history_of(row: Model) -> str:
    """The address of what the log of changes has of a row."""
    return f"{reverse('admin:flows_change_changelist')}?subject={row._meta.model_name}:{row.pk}"


def _has_entity(model: type[Model]) -> bool:
    return any(isinstance(field, Field) and field.name == "entity" for field in model._meta.get_fields())


def _may(request: HttpRequest, entity: Entity | None, ability: str) -> bool:
    """Whether the person may do it there, or anywhere; asked once per request, for the menu asks for every model."""
    if not isinstance(request.user, User) or not ability:
        return False
    known: dict[tuple[str, int | None], bool] = request.__dict__.setdefault("_chatflow_may", {})
    key = (ability, entity.pk if entity else None)
    if key not in known:
        user = request.user
        known[key] = may(user, entity, ability) if entity else entities_of(user, ability).exists()
    return known[key]


def may_anywhere(request: HttpRequest, ability: str) -> bool:
    """Whether the person may do this in at least one entity."""
    return _may(request, None, ability)


def may_here(request: HttpRequest, entity: Entity, ability: str) -> bool:
    """Whether the person may do this in the entity."""
    return _may(request, entity, ability)


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
