"""Routes under the tab of their channel, and on a route's page what belongs to it: address, tokens, who may call."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from flows.models import Entity, Environment, Flow, Kind, Status
from flows.roles import entities_of
from flows.ruleforms import OwnedChoice, RulesForm
from flows.scoping import EntityFilter, may_anywhere, may_here, person
from routing import allowlist
from routing.admin.modes import ModeViews, mode_links, standing
from routing.admin.refusals import RefusalViews, refused_lately
from routing.admin.tokens import TokenForm, TokenViews, tokens_shown
from routing.admin.trying import TryViews, try_form
from routing.channels import why_no_routes
from routing.models import Channel, Route
from routing.partner import link_to
from routing.routes import ABILITY, GIVEN, change_route, create_route, remove_route, url_of


class RouteForm(RulesForm):
    class Meta:
        fields = ("flow", *sorted(GIVEN))
        widgets = {
            "allow": forms.Textarea(attrs={"rows": 4, "class": "vLargeTextField cf-json", "spellcheck": "false"}),
            "get_reason": forms.TextInput(attrs={"class": "vLargeTextField"}),
        }
        help_texts = {
            "flow": "A Dynamic API flow. In production its deployed version answers, in the sandbox its saved draft.",
            "name": "For people, and the heading of the partner's page.",
            "step": "The number of the node at which requests enter; 1 is the start.",
            "environment": "Production takes an Approver, sandbox a Builder. It stays as it is.",
            "get_reason": "Only for a GET whose flow acts on the outside: caches, crawlers and retries repeat a GET, so say"
            " why that may happen here. Otherwise leave it empty, or take POST.",
            "allow": "Who may call, an address or network a line, with an end (the last day, UTC) and a note where you want"
            " them: 203.0.113.7 until 2027-03-31 # Ann's office. Empty: nobody. Everybody: 0.0.0.0/0 and ::/0",
            "is_async": "Answer 202 at once and do the work afterwards; the caller asks the status URL.",
            "deadline_seconds": "1 to 60. A synchronous run that takes longer goes on in a worker.",
            "rate_per_minute": "How many calls may come in a clock minute; empty: no limit. More get 429.",
            "concurrency": "How many calls are worked on at the same time; empty: what the server allows. More get 503.",
            "is_active": "Off: callers get 404, and nothing else changes.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if allow := self.initial.get("allow"):
            self.initial["allow"] = "\n".join(map(str, allowlist.parse(allow).entries))

    def write(self) -> Route:
        typed = self.cleaned_data
        values = {name: typed[name] for name in GIVEN if name in typed}
        if self.instance.pk and not self.instance._state.adding:
            return change_route(
                Route.objects.select_related("flow", "entity").get(pk=self.instance.pk), by=self.by, **values
            )
        return create_route(typed["flow"], by=self.by, **values)


@admin.register(Route)
class RoutePage(ModeViews, RefusalViews, TryViews, TokenViews):
    form = RouteForm
    fieldsets = (
        (None, {"fields": ["flow", "name", "step", "method", "get_reason", "environment", "is_active"]}),
        ("Who may call", {"fields": ["allow", "rate_per_minute", "concurrency"]}),
        ("How it answers", {"fields": ["is_async", "deadline_seconds"]}),
    )
    about = "A route is an address at which partner systems call a flow."
    when_empty = "No route yet. Add one to a flow, make a token on its page, and give the partner its page."
    before_deleting = (
        "Callers get 404 at once. Its tokens go with it, and the record of refused calls; its runs are kept."
    )
    list_display = ("__str__", "flow", "method", "environment", "is_async", "mode", "is_active", "entity", "created_at")
    list_filter = (EntityFilter, "environment", "mode", "is_active")
    search_fields = ("name", "flow__slug", "=id")
    search_help_text = "Name or id of a route, or slug of its flow."
    list_select_related = ("flow", "entity")
    change_list_template = "admin/routing/routes.html"
    change_form_template = "admin/routing/route.html"
    add_form_template = "admin/entity_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("flow", "entity")

    # --- Who may -------------------------------------------------------------------------------------------------

    def ability_for(self, request: HttpRequest, row: Any) -> str:
        return ABILITY[Environment(row.environment)]

    def entities_for(self, request: HttpRequest) -> QuerySet[Entity]:
        """Where the person may add routes: those in which they build or approve, and that have the channel."""
        mine = Entity.objects.none()
        for ability in ABILITY.values():
            mine |= Entity.objects.filter(pk__in=entities_of(person(request), ability).values("pk"))
        return mine.filter(pk__in=Channel.objects.values("entity"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.entities_for(request).exists()

    def _may(self, request: HttpRequest, obj: Any) -> bool:
        if obj is None:
            return any(may_anywhere(request, ability) for ability in ABILITY.values())
        return may_here(request, self.entity_of(obj), self.ability_for(request, obj))

    # --- Forms ---------------------------------------------------------------------------------------------------

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("flow", "environment") if obj else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, form_class=OwnedChoice, **kwargs)
        if field is not None:
            flows = Flow.objects.filter(kind=Kind.DYNAMIC_API, entity__in=self.entities_for(request))
            field.queryset = flows.select_related("entity").defer("draft").order_by("entity__slug", "slug")
        return field

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer the environments that the person may route in, first the one that they surely may."""
        if db_field.name == "environment":
            mine = [one for one, ability in ABILITY.items() if may_anywhere(request, ability)]
            kwargs["choices"] = [(one.value, one.label) for one in mine]
            kwargs["initial"] = mine[0] if mine else None
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        for warning in allowlist.parse(obj.allow).warnings:
            self.message_user(request, warning, messages.WARNING)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        self.message_user(
            request, f"Made the route {obj}. Next, make a token for its partner, below.", messages.SUCCESS
        )
        return HttpResponseRedirect(self.page_of(obj))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        remove_route(obj, by=person(request))

    # --- Pages ---------------------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        entities = list(entities_of(person(request)).order_by("slug")[:100])
        channels = Channel.objects.filter(entity__in=entities)
        tabs = sorted({(channel.kind, channel.get_kind_display()) for channel in channels})
        with_channel = {channel.entity_id for channel in channels}
        context = {
            "tabs": tabs,
            "missing": [why_no_routes(entity) for entity in entities if entity.pk not in with_channel],
            "may_onboard": may_anywhere(request, "manage channels"),
            "channels_url": reverse("admin:routing_channel_changelist"),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        route = self.get_object(request, object_id)
        shown = self.shown(request, route) if route is not None else {}
        return super().change_view(request, object_id, form_url, {**shown, **(extra_context or {})})

    def shown(self, request: HttpRequest, route: Route) -> dict[str, Any]:
        """What a route's page shows besides its form."""
        partner = link_to(route)
        return {
            "route": route,
            "url": url_of(route),
            "partner_url": partner,
            "openapi_url": f"{partner}openapi.json",
            "runs_url": f"{reverse('admin:flows_run_changelist')}?route={route.pk}",
            "nothing_deployed": route.environment == Environment.PRODUCTION
            and not route.flow.versions.filter(status=Status.DEPLOYED).exists(),
            "refused": refused_lately(route),
            "refusals_url": reverse("admin:routing_route_refusals", args=[route.pk]),
            "standing": standing(route),
            "mode_links": mode_links(route),
            "allowed": allowed_shown(route),
            "allow_warnings": allowlist.parse(route.allow).warnings,
            "try_form": try_form(route),
            "tokens": tokens_shown(route),
            "may_manage": self.has_change_permission(request, route),
            "manager_role": "Approver" if route.environment == Environment.PRODUCTION else "Builder",
            "token_form": TokenForm(auto_id="id_token_%s"),
        }


def allowed_shown(route: Route) -> list[dict[str, Any]]:
    """The entries of the allow-list, each with how it stands today."""
    today = allowlist.utc_today()
    return [
        {
            "entry": entry,
            "has_ended": entry.has_ended(today),
            "days_left": (entry.until - today).days if entry.until else None,
        }
        for entry in allowlist.parse(route.allow).entries
    ]
