"""Drafts: import, export, save. Every change is recorded with who made it; nothing is saved of what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.utils.formats import date_format
from django.utils.timezone import localtime

from flows import outside
from flows.contributors import flow_subject, record_edit, take_turn
from flows.engine.errors import FlowError, GraphRefused
from flows.engine.graph import FlowFile, Graph, read_file, read_graph
from flows.engine.strictjson import dumps, loads, pretty
from flows.issues import Issue, check
from flows.models import Case, Entity, Flow, Kind
from flows.roles import require

MAX_NAME_CHARS = 200


class DraftConflict(FlowError):
    """Somebody else saved the draft in between. `flow` is the draft as it is now."""

    code = "draft_conflict"

    def __init__(self, flow: Flow) -> None:
        when = date_format(localtime(flow.changed_at), "j M Y, H:i e")
        super().__init__(
            f"{flow.changed_by} saved this draft on {when} (revision {flow.draft_revision}), after you opened it.",
            hint="Look at what changed, then make your change on the newer draft.",
        )
        self.flow = flow


def import_file(entity: Entity, text: str | bytes, *, by: User) -> Flow:
    """Create the flow of a flow file, or replace its draft, name and cases. Raises GraphRefused, JSONRefused.

    Raises PermissionDenied without the role, GraphRefused also where the flow is there with another kind.
    """
    require(by, entity, "build flows")
    file, raw, graph = read_file(text)
    with transaction.atomic():
        take_turn(entity.pk)
        flow = Flow.objects.filter(entity=entity, slug=file.slug).first()
        if flow is None:
            flow = _create(entity, file, raw, graph, by)
        else:
            if flow.kind != file.kind:
                raise GraphRefused("kind", f"the flow {flow.slug} is a {flow.kind} flow; its kind never changes")
            last_number = _last_number(graph, flow.last_number, file.last_number or 1)
            _change(flow, by, name=file.name, draft=pretty(raw["nodes"]), last_number=last_number, cases=_cases(raw))
    return flow


def export_file(flow: Flow) -> str:
    """The flow as a file: nodes and cases as they were written."""
    file = {
        "format": 1,
        "slug": flow.slug,
        "name": flow.name,
        "kind": str(flow.kind),
        "last_number": flow.last_number,
        "nodes": loads(flow.draft),
        "cases": [loads(text) for text in _saved_cases(flow)],
    }
    return pretty(file)


def new_flow(entity: Entity, name: str, slug: str, kind: str = Kind.DYNAMIC_API, *, by: User) -> Flow:
    """A flow with a start node and nothing else. Raises GraphRefused where the slug is taken."""
    if Flow.objects.filter(entity=entity, slug=slug).exists():
        raise GraphRefused("slug", f"{entity.slug} has a flow {slug!r} already", hint="Choose another slug.")
    start = {"number": 1, "type": "start", "settings": {}, "exits": {"next": None}}
    file = {"format": 1, "slug": slug, "name": name, "kind": str(kind), "last_number": 1, "nodes": [start]}
    return import_file(entity, dumps(file), by=by)


def save_draft(flow: Flow, nodes_text: str, *, by: User, based_on_revision: int) -> Flow:
    """Replace the nodes of the draft, if nobody else did since that revision.

    Raises GraphRefused, JSONRefused, DraftConflict. Saving what is there already changes nothing.
    """
    require(by, flow.entity, "build flows")
    nodes = loads(nodes_text)
    graph = read_graph(nodes)
    with transaction.atomic():
        take_turn(flow.entity_id)
        saved = Flow.objects.select_related("entity", "changed_by").get(pk=flow.pk)
        if saved.draft_revision != based_on_revision:
            raise DraftConflict(saved)
        _change(saved, by, draft=pretty(nodes), last_number=_last_number(graph, saved.last_number))
    return saved


def rename(flow: Flow, name: str, *, by: User) -> Flow:
    """Give the flow another name, as a new revision of its draft: the name is sealed with it. Raises GraphRefused."""
    require(by, flow.entity, "build flows")
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME_CHARS:
        raise GraphRefused("name", f"a name has 1 to {MAX_NAME_CHARS} characters")
    with transaction.atomic():
        take_turn(flow.entity_id)
        saved = Flow.objects.select_related("entity", "changed_by").get(pk=flow.pk)
        _change(saved, by, name=name)
    return saved


def issues_of(flow: Flow, environment: str) -> list[Issue]:
    """What is wrong with the saved draft, against the definitions of that environment."""
    catalog = outside.catalog(flow.entity, environment, flow.kind)
    return check(read_graph(loads(flow.draft)), slug=flow.slug, kind=flow.kind, catalog=catalog)


def _create(entity: Entity, file: FlowFile, raw: Mapping[str, Any], graph: Graph, by: User) -> Flow:
    flow = Flow(entity=entity, slug=file.slug, name=file.name, kind=file.kind, created_by=by, changed_by=by)
    flow.draft = pretty(raw["nodes"])
    flow.last_number = _last_number(graph, file.last_number or 1)
    try:
        with transaction.atomic():
            flow.save(force_insert=True)
    except IntegrityError:
        raise GraphRefused("slug", f"somebody made a flow {file.slug!r} at the same moment; import again") from None
    edit = record_edit(entity, flow_subject(flow), by=by, after=flow.changed_at)
    Flow.objects.filter(pk=flow.pk).update(changed_at=edit.at)
    flow.changed_at = edit.at
    _write_cases(flow, _cases(raw))
    return flow


def _change(flow: Flow, by: User, *, cases: Sequence[tuple[str, str]] | None = None, **values: Any) -> None:
    """Write what differs, as one revision with its record; nothing where nothing does."""
    differs = any(getattr(flow, field) != value for field, value in values.items())
    cases_differ = cases is not None and [text for _, text in cases] != _saved_cases(flow)
    if not differs and not cases_differ:
        return
    edit = record_edit(flow.entity, flow_subject(flow), by=by, after=flow.changed_at)
    based_on = flow.draft_revision
    for field, value in values.items():
        setattr(flow, field, value)
    flow.draft_revision, flow.changed_by, flow.changed_at = based_on + 1, by, edit.at
    fields = [*values, "draft_revision", "changed_by", "changed_at"]
    row = Flow.objects.filter(pk=flow.pk, draft_revision=based_on)
    if not row.update(**{field: getattr(flow, field) for field in fields}):
        raise DraftConflict(Flow.objects.select_related("changed_by").get(pk=flow.pk))
    if cases is not None and cases_differ:
        _write_cases(flow, cases)


def _last_number(graph: Graph, *known: int) -> int:
    return max(*known, *graph.nodes)


def _cases(raw: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(case["name"], dumps(case)) for case in raw.get("cases", [])]


def _saved_cases(flow: Flow) -> list[str]:
    """In the order of the file."""
    return list(flow.cases.order_by("id").values_list("text", flat=True))


def _write_cases(flow: Flow, cases: Sequence[tuple[str, str]]) -> None:
    flow.cases.all().delete()
    for name, text in cases:
        Case.objects.create(flow=flow, name=name, text=text)
