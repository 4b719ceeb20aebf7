"""Runs with their steps. Nothing here changes a run but the word of a person about an effect in doubt."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.views.decorators.http import require_POST

from flows.engine.errors import FlowError
from flows.engine.strictjson import JSON, loads, pretty
from flows.models import Effect, EffectState, Run
from flows.roles import may
from flows.runs import settle, story
from flows.scoping import EntityAdmin, EntityFilter, person

SETTLING = "build flows"
"""Who may say whether a doubtful effect arrived."""


@admin.register(Run)
class RunPage(EntityAdmin):
    list_display = ("id", "flow", "state", "environment", "route", "is_async", "created_at", "finished_at")
    list_filter = (EntityFilter, "state", "environment", "is_async")
    search_fields = ("=id", "=route", "=flow__slug")
    search_help_text = "Id of a run or a route, or slug of a flow."
    list_select_related = ("flow",)
    change_form_template = "admin/flows/run.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("request", "answer", "trace")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """A term that is no UUID isn't looked for among the ids: PostgreSQL would refuse to compare them."""
        try:
            return super().get_search_results(request, queryset, search_term)
        except ValueError:
            return queryset.none(), False

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.settle))
        return [path("<uuid:run_id>/settle/", view, name="flows_run_settle"), *super().get_urls()]

    def settle(self, request: HttpRequest, run_id: Any) -> HttpResponse:
        """A person says whether an effect in doubt was sent; then the run goes on."""
        run = self.get_object(request, str(run_id))
        if run is None:
            return self.not_there(request, str(run_id))
        here = HttpResponseRedirect(reverse("admin:flows_run_change", args=[run.pk]))
        effect = Effect.objects.filter(run=run, key=request.POST.get("effect", "")).first()
        if effect is None or not may(person(request), run.entity, SETTLING):
            self.message_user(request, "Settling an effect takes a builder.", messages.ERROR)
            return here
        sent = request.POST.get("word") == "sent"
        try:
            settle(effect, sent=sent)
        except FlowError as error:
            self.message_user(request, f"{error.message} {error.hint}", messages.ERROR)
        else:
            self.message_user(request, f"Noted as {'sent' if sent else 'not sent'}; the run goes on.")
        return here

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        run = self.get_object(request, object_id)
        if run is None:
            return self.not_there(request, object_id)
        shown = {**(extra_context or {}), **_shown(run), "may_settle": may(person(request), run.entity, SETTLING)}
        return super().change_view(request, object_id, form_url, shown)


def _shown(run: Run) -> dict[str, Any]:
    steps = [{**step, "in_text": _text(step.get("in")), "out_text": _text(step.get("out"))} for step in story(run)]
    return {
        "title": f"Run {run.pk}",
        "run": run,
        "steps": steps,
        "request_text": pretty(loads(run.request)),
        "answer_text": pretty(loads(run.answer)) if run.answer else "",
        "error": loads(run.error) if run.error else None,
        "effects": list(run.effects.all()),
        "in_doubt": EffectState.IN_DOUBT,
    }


def _text(value: JSON) -> str:
    return pretty(value).strip() if value else ""
