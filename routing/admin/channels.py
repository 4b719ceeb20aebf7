"""Channels: an owner onboards one for an entity; before that none of its flows can be reached."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse

from flows.ruleforms import RulesAdmin, RulesForm
from flows.scoping import EntityFilter
from routing.channels import onboard
from routing.models import Channel


class ChannelForm(RulesForm):
    class Meta:
        fields = ("entity", "kind")

    def write(self) -> Channel:
        entity, kind = self.cleaned_data["entity"], self.cleaned_data["kind"]
        if Channel.objects.filter(entity=entity, kind=kind).exists():
            raise ValidationError({"kind": f"This channel is onboarded for {entity} already."})
        return onboard(entity, kind, by=self.by)


@admin.register(Channel)
class ChannelPage(RulesAdmin):
    """Onboarded by an owner, once; a channel isn't changed, and stays."""

    ability = "manage channels"
    can_change = False
    can_delete = False
    form = ChannelForm
    fields = ("entity", "kind")
    about = (
        "A channel is a way to an entity's flows. Onboarding Dynamic API lets builders and approvers add routes, at which"
        " partner systems call Dynamic API flows. It opens nothing by itself: a route, a token and an allow-list do."
    )
    when_empty = "No channel is onboarded yet. An owner adds Dynamic API here; then routes can be added."
    list_display = ("kind", "entity", "onboarded_by", "onboarded_at")
    list_filter = (EntityFilter,)
    list_select_related = ("entity", "onboarded_by")

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("onboarded_by", "onboarded_at") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [(None, {"fields": ["entity", "kind", *self.get_readonly_fields(request, obj)]})]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        self.message_user(request, f"{obj.get_kind_display()} is onboarded for {obj.entity}: routes can be added now.")
        return self.response_post_save_add(request, obj)
