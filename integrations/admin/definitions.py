"""What the pages of connections, endpoints and keys have in common."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from flows.contributors import take_turn
from flows.models import Entity
from flows.ruleforms import RulesAdmin, RulesForm
from flows.scoping import EntityFilter
from integrations.models import Definition
from integrations.where_used import uses_of

D = TypeVar("D", bound=Definition)

NAME_HELP = "What flows call it: letters, digits and _. It can't be changed later; the title can."


class DefinitionForm(RulesForm):
    """A definition's name is given once: to be added, it must be free."""

    def check_name_is_free(self, model: type[Definition], entity: Entity, name: str) -> None:
        """Raise ValidationError where there is one: `save_...` would change that."""
        take_turn(entity.pk)
        if model._default_manager.filter(entity=entity, name=name).exists():
            raise ValidationError({"name": f"{entity} has the {model._meta.verbose_name} {name!r} already."})

    @property
    def is_new(self) -> bool:
        return self.instance.pk is None


class DefinitionPage(RulesAdmin):
    """`named_once` are the fields that can't be changed after a row was made."""

    named_once: ClassVar[tuple[str, ...]] = ("entity", "name")
    list_filter = (EntityFilter,)
    search_fields: ClassVar[tuple[str, ...]] = ("name", "title")
    list_select_related: ClassVar[tuple[str, ...]] = ("entity", "changed_by")
    before_deleting = "Nothing may use it any more; if something does, you are told what."

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*self.named_once, "where_used", "changed") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = list(super().get_fieldsets(request, obj))
        return [*fieldsets, ("Use", {"fields": ["where_used", "changed"]})] if obj else fieldsets

    @admin.display(description="Where it is used")
    def where_used(self, row: Definition) -> SafeString | str:
        uses = self.uses(row)
        if not uses:
            return "Nowhere."
        return format_html("<ul>{}</ul>", format_html_join("", "<li>{}</li>", ((use,) for use in uses)))

    def uses(self, row: Definition) -> list[str]:
        """What uses it, a line each. Versions keep what they were submitted with."""
        return uses_of(row.entity, str(row._meta.model_name), row.name)

    @admin.display(description="Last change")
    def changed(self, row: Definition) -> str:
        return f"{row.changed_by}, {row.changed_at:%Y-%m-%d %H:%M} UTC"
