"""A flow's page: its draft as JSON, the issues beside it, and what became of it. The drawn canvas is to come."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.urls.resolvers import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString

from flows import drafts, lifecycle
from flows.admin.imports import ImportForm, flow_page
from flows.engine.errors import FlowError
from flows.models import DynamicApiFlow, Environment, Flow, Kind, StandardFlow, Status, Version
from flows.ruleforms import RulesAdmin, RulesForm
from flows.scoping import EntityFilter, may_here, person, posted

MAX_VERSIONS_SHOWN = 20


class NewFlowForm(RulesForm):
    """Name a new flow; its draft begins with a start node."""

    kind: str

    class Meta:
        fields = ("entity", "name", "slug")
        help_texts = {"slug": "Names the flow in files, commands and jumps. It can't be changed later."}

    def write(self) -> Flow:
        typed = self.cleaned_data
        return drafts.new_flow(typed["entity"], typed["name"], typed["slug"], self.kind, by=self.by)


class FlowPage(RulesAdmin):
    """Flows of one kind."""

    kind: ClassVar[Kind]
    ability = "build flows"
    can_delete = False
    form = NewFlowForm
    fields = ("entity", "name", "slug")
    prepopulated_fields = {"slug": ("name",)}
    list_display = ("mark", "slug", "entity", "deployed", "changed_by", "changed_at")
    list_filter = (EntityFilter,)
    search_fields = ("name", "slug")
    list_select_related = ("entity", "changed_by")
    change_list_template = "admin/flows/flows.html"
    change_form_template = "admin/flows/flow.html"
    add_form_template = "admin/entity_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        deployed = Prefetch("versions", Version.objects.filter(status=Status.DEPLOYED), to_attr="deployed_versions")
        flows = super().get_queryset(request).filter(kind=self.kind)
        return flows.select_related("entity").prefetch_related(deployed).defer("draft")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        form.kind = self.kind
        return form

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path("import/", self.admin_site.admin_view(self.import_view), name=f"{name}_import"),
            path("<int:flow_id>/export/", self.admin_site.admin_view(self.export), name=f"{name}_export"),
            *super().get_urls(),
        ]

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        self.message_user(request, f"Made the flow {obj.name}. Its draft has a start node: go on from there.")
        return HttpResponseRedirect(flow_page(obj))

    def export(self, request: HttpRequest, flow_id: int) -> HttpResponse:
        """The flow's file, to keep or to import elsewhere."""
        flow = self.get_object(request, str(flow_id))
        if flow is None:
            return self.not_there(request, str(flow_id))
        headers = {"Content-Disposition": f'attachment; filename="{flow.slug}.json"'}
        return HttpResponse(drafts.export_file(flow), content_type="application/json", headers=headers)

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """A flow file makes a flow, or replaces the draft of the flow that it names."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = ImportForm(self.entities_for(request), request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid() and (flow := form.save(person(request))):
            done = "Imported" if flow.draft_revision == 1 else "Imported, in place of the draft that was there:"
            self.log_change(request, flow, "Imported a flow file.")
            self.message_user(request, f"{done} {flow.name}, revision {flow.draft_revision}.", messages.SUCCESS)
            return HttpResponseRedirect(flow_page(flow))
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Import a flow file",
            "form": form,
        }
        status = 422 if form.errors else 200
        return TemplateResponse(request, "admin/flows/import.html", context, status=status)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        flow = self.get_object(request, object_id)
        if flow is None:
            return self.not_there(request, object_id)
        if request.method != "POST":
            return self._page(request, flow)
        try:
            return self._act(request, flow)
        except drafts.DraftConflict as conflict:
            return self._page(request, flow, conflict=conflict, status=409)
        except FlowError as error:
            return self._page(request, flow, refused=f"{error.message} {error.hint}", status=422)
        except PermissionDenied as error:
            return self._page(request, flow, refused=str(error), status=403)

    def _act(self, request: HttpRequest, flow: Flow) -> HttpResponse:
        """Do what the pressed button says."""
        user, text = person(request), posted(request, "draft")
        seen = _number(request.POST.get("_overwrite") or request.POST.get("revision"))
        saved = drafts.save_draft(flow, text, by=user, based_on_revision=seen)
        changed = saved.draft_revision != seen
        if changed:
            self.log_change(request, saved, f"Saved the draft as revision {saved.draft_revision}.")
        done = f"Saved as revision {saved.draft_revision}." if changed else "There was nothing to save."
        if "_submit" not in request.POST:
            self.message_user(request, done, messages.SUCCESS)
            return HttpResponseRedirect(request.path)
        try:
            version = lifecycle.submit(
                saved,
                by=user,
                summary=posted(request, "summary"),
                based_on_revision=saved.draft_revision,
            )
        except lifecycle.Refused as error:
            return self._page(request, saved, not_submitted=f"{done} {error}", status=422)
        self.message_user(request, f"Submitted as version {version.number}.", messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:flows_version_change", args=[version.pk]))

    def _page(
        self,
        request: HttpRequest,
        flow: Flow,
        *,
        refused: str = "",
        not_submitted: str = "",
        conflict: drafts.DraftConflict | None = None,
        status: int = 200,
    ) -> HttpResponse:
        """The page; after a refusal with the text as it was typed, beside the issues of what is saved."""
        flow = Flow.objects.select_related("entity", "changed_by").get(pk=flow.pk)
        kept = bool(refused or conflict)
        versions = list(flow.versions.select_related("submitted_by").order_by("-number")[:MAX_VERSIONS_SHOWN])
        issues = drafts.issues_of(flow, Environment.PRODUCTION)
        may_build = may_here(request, flow.entity, self.ability)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "original": flow,
            "title": flow.name,
            "flow": flow,
            "draft": request.POST.get("draft", "") if kept else flow.draft,
            "revision": _number(request.POST.get("revision")) if kept else flow.draft_revision,
            "summary": request.POST.get("summary", ""),
            "refused": refused,
            "not_submitted": not_submitted,
            "conflict": conflict,
            "issues": issues,
            "blocking": sum(issue.severity == "error" for issue in issues),
            "versions": versions,
            "waiting": next((version for version in versions if version.status == Status.SUBMITTED), None),
            "declined": _declined(versions),
            "may_build": may_build,
            "may_import": may_build,
            "import_url": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_import"),
            "export_url": reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_export", args=[flow.pk]),
            "runs_url": f"{reverse('admin:flows_run_changelist')}?flow={flow.pk}",
            "is_dynamic_api": flow.kind == Kind.DYNAMIC_API,
        }
        return TemplateResponse(request, self.change_form_template, context, status=status)

    @admin.display(description="name", ordering="name")
    def mark(self, flow: Flow) -> SafeString | str:
        if flow.kind != Kind.DYNAMIC_API:
            return flow.name
        return format_html('<span class="cf-mark" aria-hidden="true"></span> {}', flow.name)

    @admin.display(description="deployed")
    def deployed(self, flow: Any) -> str:
        return f"version {flow.deployed_versions[0].number}" if flow.deployed_versions else "–"


@admin.register(DynamicApiFlow)
class DynamicApiFlowPage(FlowPage):
    kind = Kind.DYNAMIC_API
    about = "A Dynamic API flow answers requests of partner systems. It is drawn, approved, deployed, and then routed."
    when_empty = "There is no Dynamic API flow yet. Add one, or import a flow file; then submit it for approval."


@admin.register(StandardFlow)
class StandardFlowPage(FlowPage):
    kind = Kind.STANDARD
    about = "A standard flow is started by customers. No route leads to it."
    when_empty = "There is no standard flow yet. Add one, or import a flow file."


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def _declined(versions: list[Version]) -> dict[str, Any] | None:
    """The reason why the newest version was sent back, where it was."""
    if not versions or versions[0].status != Status.DECLINED:
        return None
    decision = versions[0].decisions.filter(to_status=Status.DECLINED).select_related("by").last()
    return {"version": versions[0], "decision": decision}
