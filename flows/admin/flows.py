"""A flow's page: its draft as JSON, the issues beside it, and what became of it. The drawn canvas is to come."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString

from flows import drafts, lifecycle
from flows.engine.errors import FlowError
from flows.models import DynamicApiFlow, Environment, Flow, Kind, StandardFlow, Status, Version
from flows.roles import may, require
from flows.scoping import EntityAdmin, EntityFilter, person

MAX_VERSIONS_SHOWN = 20


class NewFlowForm(forms.ModelForm):  # type: ignore[type-arg]
    """Name a new flow; its draft begins with a start node."""

    class Meta:
        fields = ("entity", "name", "slug")
        help_texts = {"slug": "Names the flow in files, commands and jumps. It can't be changed later."}


class FlowPage(EntityAdmin):
    """Flows of one kind."""

    kind: str
    ability = "build flows"
    can_delete = False
    form = NewFlowForm
    fields = ("entity", "name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    list_display = ("name", "mark", "slug", "entity", "deployed", "changed_by", "changed_at")
    list_display_links = ("name",)
    list_filter = (EntityFilter,)
    search_fields = ("name", "slug")
    list_select_related = ("entity", "changed_by")
    change_form_template = "admin/flows/flow.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(kind=self.kind).prefetch_related("versions")

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_export"
        return [path("<int:flow_id>/export/", self.admin_site.admin_view(self.export), name=name), *super().get_urls()]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        obj.pk = drafts.new_flow(obj.entity, obj.name, obj.slug, self.kind, by=person(request)).pk

    def export(self, request: HttpRequest, flow_id: int) -> HttpResponse:
        """The flow's file, to keep or to import elsewhere."""
        flow = self.get_object(request, str(flow_id))
        if flow is None:
            return self.not_there(request, str(flow_id))
        headers = {"Content-Disposition": f'attachment; filename="{flow.slug}.json"'}
        return HttpResponse(drafts.export_file(flow), content_type="application/json", headers=headers)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        flow = self.get_object(request, object_id)
        if flow is None:
            return self.not_there(request, object_id)
        if request.method != "POST":
            return self._page(request, flow, flow.draft)
        try:
            return self._act(request, flow)
        except FlowError as error:
            self.message_user(request, f"Not saved. {error.message} {error.hint}", messages.ERROR)
        except lifecycle.Refused as error:
            self.message_user(request, f"Not submitted. {error}", messages.ERROR)
        except PermissionDenied as error:
            self.message_user(request, str(error), messages.ERROR)
        return self._page(request, flow, request.POST.get("draft", flow.draft), status=422)

    def _act(self, request: HttpRequest, flow: Flow) -> HttpResponse:
        """Do what the pressed button says."""
        user, here = person(request), HttpResponseRedirect(request.path)
        if "_import" in request.POST:
            upload = request.FILES.get("file")
            if upload is None:
                raise FlowError("No file was chosen.", hint="Choose a flow file first.")
            require(user, flow.entity, self.ability)
            saved = drafts.import_file(flow.entity, upload.read(), by=user)
            self.message_user(request, f"Imported {saved.name}; its draft is at revision {saved.draft_revision}.")
            return HttpResponseRedirect(
                reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", args=[saved.pk])
            )
        revision = int(request.POST.get("revision", "0") or 0)
        saved = drafts.save_draft(flow, request.POST.get("draft", ""), by=user, based_on_revision=revision)
        if "_submit" not in request.POST:
            changed = saved.draft_revision != revision
            self.message_user(
                request, f"Saved as revision {saved.draft_revision}." if changed else "There was nothing to save."
            )
            return here
        summary = request.POST.get("summary", "")
        version = lifecycle.submit(saved, by=user, summary=summary, based_on_revision=saved.draft_revision)
        self.message_user(request, f"Submitted as version {version.number}.")
        return HttpResponseRedirect(reverse("admin:flows_version_change", args=[version.pk]))

    def _page(self, request: HttpRequest, flow: Flow, draft: str, status: int = 200) -> HttpResponse:
        flow.refresh_from_db()
        versions = list(flow.versions.select_related("submitted_by").order_by("-number")[:MAX_VERSIONS_SHOWN])
        issues = drafts.issues_of(flow, Environment.PRODUCTION)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": flow,
            "title": flow.name,
            "flow": flow,
            "draft": draft,
            "issues": issues,
            "blocking": sum(issue.severity == "error" for issue in issues),
            "versions": versions,
            "declined": _declined(versions),
            "may_build": may(person(request), flow.entity, self.ability),
            "export_url": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_export", args=[flow.pk]),
            "is_dynamic_api": flow.kind == Kind.DYNAMIC_API,
        }
        return TemplateResponse(request, self.change_form_template, context, status=status)

    @admin.display(description="kind")
    def mark(self, flow: Flow) -> SafeString:
        if flow.kind != Kind.DYNAMIC_API:
            return format_html("{}", flow.get_kind_display())
        return format_html('<span class="cf-mark" aria-hidden="true"></span> {}', flow.get_kind_display())

    @admin.display(description="deployed")
    def deployed(self, flow: Flow) -> str:
        found = next((version for version in flow.versions.all() if version.status == Status.DEPLOYED), None)
        return f"version {found.number}" if found else "–"

    class Media:
        css = {"all": ("flows/pages.css",)}


@admin.register(DynamicApiFlow)
class DynamicApiFlowPage(FlowPage):
    kind = Kind.DYNAMIC_API


@admin.register(StandardFlow)
class StandardFlowPage(FlowPage):
    kind = Kind.STANDARD


def _declined(versions: list[Version]) -> dict[str, Any] | None:
    """The reason why the newest version was sent back, where it was."""
    if not versions or versions[0].status != Status.DECLINED:
        return None
    decision = versions[0].decisions.filter(to_status=Status.DECLINED).select_related("by").last()
    return {"version": versions[0], "decision": decision}
