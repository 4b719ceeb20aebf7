"""Runs with their steps. A person may cancel one that isn't over, and say whether an effect in doubt arrived."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.views.decorators.http import require_POST

from flows.admin import run_list
from flows.admin.imports import flow_page
from flows.engine.errors import FlowError
from flows.engine.strictjson import JSON, pretty, stored
from flows.masking import MASK
from flows.models import TERMINAL, Effect, EffectState, Run
from flows.roles import entities_of
from flows.runs import cancel, settle, story
from flows.scoping import EntityAdmin, EntityFilter, may_here, person, posted
from flows.secret_names import mask_named

LOOKING_AFTER = "look after runs"
NOT_YOURS = "That takes the role Owner, Builder or Approver."


@admin.register(Run)
class RunPage(EntityAdmin):
    about = (
        "A run is one execution of a flow. The newest come first; state, environment and mode are looked for among the"
        f" newest {run_list.NEWEST:,} that fit the rest, so give a time to look further back."
    )
    when_empty = "No run yet. A call to a route makes one: a route's page has the command line to try it."
    list_display = ("id", "flow", "state", "environment", "mode", "at_route", "began")
    list_filter = (
        EntityFilter,
        run_list.FlowFilter,
        run_list.StateFilter,
        run_list.EnvironmentFilter,
        run_list.ModeFilter,
        run_list.RouteFilter,
        run_list.Since,
        run_list.Until,
    )
    sortable_by = ()
    search_fields = ("id",)
    search_help_text = "Id of a run or of a route, or part of a flow's slug."
    list_select_related = ("flow",)
    change_form_template = "admin/flows/run.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Entities by their ids: with a subquery in their place PostgreSQL may not see that the index serves."""
        mine = list(entities_of(person(request)).values_list("pk", flat=True))
        runs: QuerySet[Run] = Run.objects.filter(entity__in=mine)
        return runs.defer("request", "sealed", "answer", "trace").order_by("-id")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[run_list.RunList]:
        return run_list.RunList

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        return (run_list.found(queryset, search_term, entities_of(person(request))) if search_term else queryset), False

    @admin.display(description="route")
    def at_route(self, run: Run) -> str:
        return f"{run.route[:8]}…" if run.route else "–"

    @admin.display(description="began (UTC)")
    def began(self, run: Run) -> str:
        return f"{run.created_at:%Y-%m-%d %H:%M:%S}"

    @admin.display(description="mode")
    def mode(self, run: Run) -> str:
        return "asynchronous" if run.is_async else "synchronous"

    def get_urls(self) -> list[URLPattern]:
        settle = self.admin_site.admin_view(require_POST(self.settle))
        cancel = self.admin_site.admin_view(require_POST(self.cancel))
        return [
            path("<uuid:run_id>/settle/", settle, name="flows_run_settle"),
            path("<uuid:run_id>/cancel/", cancel, name="flows_run_cancel"),
            *super().get_urls(),
        ]

    def cancel(self, request: HttpRequest, run_id: Any) -> HttpResponse:
        """End a run that isn't over."""
        run = self.get_object(request, str(run_id))
        if run is None:
            return self.not_there(request, str(run_id))
        here = HttpResponseRedirect(reverse("admin:flows_run_change", args=[run.pk]))
        if not may_here(request, run.entity, LOOKING_AFTER):
            self.message_user(request, NOT_YOURS, messages.ERROR)
            return here
        try:
            cancel(run)
        except FlowError as error:
            self.message_user(request, f"{error.message} {error.hint}", messages.ERROR)
        else:
            self.log_change(request, run, "Cancelled.")
            self.message_user(request, "The run is cancelled. What it did outside stays done.")
        return here

    def settle(self, request: HttpRequest, run_id: Any) -> HttpResponse:
        """A person says whether an effect in doubt was sent; then the run goes on."""
        run = self.get_object(request, str(run_id))
        if run is None:
            return self.not_there(request, str(run_id))
        here = HttpResponseRedirect(reverse("admin:flows_run_change", args=[run.pk]))
        effect = Effect.objects.filter(run=run, key=posted(request, "effect")).first()
        word = request.POST.get("word")
        if not may_here(request, run.entity, LOOKING_AFTER):
            self.message_user(request, NOT_YOURS, messages.ERROR)
            return here
        if effect is None or word not in ("sent", "not_sent"):
            self.message_user(
                request, "Nothing was settled: press one of the buttons beside the effect.", messages.ERROR
            )
            return here
        try:
            settle(effect, sent=word == "sent", by=person(request))
        except FlowError as error:
            self.message_user(request, f"{error.message} {error.hint}", messages.ERROR)
        else:
            noted = "was sent" if word == "sent" else "was not sent"
            self.log_change(request, run, f"Said that the effect {effect.key} {noted}.")
            self.message_user(request, f"Noted that it {noted}; the run goes on.", messages.SUCCESS)
        return here

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        run = self.get_object(request, object_id)
        if run is None:
            return self.not_there(request, object_id)
        mine = may_here(request, run.entity, LOOKING_AFTER)
        shown = {
            **(extra_context or {}),
            **_shown(run),
            "may_settle": mine,
            "may_cancel": mine and run.state not in TERMINAL,
        }
        return super().change_view(request, object_id, form_url, shown)


def _shown(run: Run) -> dict[str, Any]:
    steps = [{**step, "in_text": _text(step.get("in")), "out_text": _text(step.get("out"))} for step in story(run)]
    request_text, answer_text = _pretty(run.request), _pretty(run.answer)
    return {
        "masked": MASK if MASK in f"{request_text}{answer_text}{run.error}{steps}" else "",
        "title": f"Run {run.pk}",
        "run": run,
        "flow_url": flow_page(run.flow),
        "steps": steps,
        "request_text": request_text,
        "answer_text": answer_text,
        "error": stored(run.error) if run.error else None,
        "effects": list(run.effects.select_related("settled_by")),
        "in_doubt": EffectState.IN_DOUBT,
    }


def _pretty(text: str) -> str:
    return pretty(mask_named(stored(text))) if text else ""


def _text(value: JSON) -> str:
    return pretty(value).strip() if value else ""
