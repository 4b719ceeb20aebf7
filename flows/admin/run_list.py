"""The list of runs, which may be millions: it looks at the newest that fit, and never counts the rest.

Entity, flow, route and time are ranges of an index. What is no index (state, environment) is looked for among the
newest NEWEST of those, so that no filter reads the whole table.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest

from flows.models import Entity, Environment, Flow, RunState
from flows.roles import entities_of
from flows.scoping import person

NEWEST = 5_000
MAX_FLOWS = 50
_YES_NO = (("1", "Asynchronous"), ("0", "Synchronous"))


class RunList(ChangeList):
    """Applies the filters that no index serves to the newest runs that pass the others."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        fitting = super().get_queryset(request, exclude_parameters)
        newest = fitting.order_by("-id").values("pk")[:NEWEST]
        runs = self.root_queryset.filter(pk__in=newest)
        for one in self.filter_specs:
            if isinstance(one, AmongNewest) and one.value():
                runs = runs.filter(**{str(one.parameter_name): one.wanted()})
        return self.apply_select_related(runs).order_by("-id")


class AmongNewest(admin.SimpleListFilter):
    """A filter that no index serves: `RunList` applies it."""

    choices_shown: tuple[tuple[str, str], ...] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return self.choices_shown

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset

    def wanted(self) -> Any:
        return self.value()


class StateFilter(AmongNewest):
    title = "state"
    parameter_name = "state"
    choices_shown = tuple(RunState.choices)


class EnvironmentFilter(AmongNewest):
    title = "environment"
    parameter_name = "environment"
    choices_shown = tuple(Environment.choices)


class ModeFilter(AmongNewest):
    title = "mode"
    parameter_name = "is_async"
    choices_shown = _YES_NO

    def wanted(self) -> bool:
        return self.value() == "1"


class FlowFilter(admin.SimpleListFilter):
    """By a flow of one's own; where there are more than are offered, the search finds the others."""

    title = "flow"
    parameter_name = "flow"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        flows = Flow.objects.filter(entity__in=entities_of(person(request))).order_by("name")
        return [(str(pk), name) for pk, name in flows.values_list("pk", "name")[:MAX_FLOWS]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        return queryset.filter(flow=int(value)) if _is_number(value) else queryset.none()


class TypedFilter(admin.SimpleListFilter):
    """A filter whose value is typed."""

    template = "admin/flows/typed_filter.html"
    input_type = "text"
    placeholder = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> Any:
        return [("", "")]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        """The other parameters, which the form hands on."""
        for name, value in changelist.params.items():
            if name != self.parameter_name:
                yield {"name": name, "value": value}


class RouteFilter(TypedFilter):
    title = "route id"
    parameter_name = "route"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(route=self.value()) if self.value() else queryset


class Since(TypedFilter):
    title = "time, from (UTC)"
    parameter_name = "since"
    input_type = "datetime-local"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return _from_id(queryset, "id__gte", self.value())


class Until(TypedFilter):
    title = "time, before (UTC)"
    parameter_name = "until"
    input_type = "datetime-local"

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return _from_id(queryset, "id__lt", self.value())


def found(queryset: QuerySet[Any], text: str, mine: QuerySet[Entity]) -> QuerySet[Any]:
    """The run or the route of that id, or the runs of flows of `mine` whose slug has the text in it."""
    text = text.strip()
    try:
        run_id: UUID | None = UUID(text)
    except ValueError:
        run_id = None
    if run_id is not None:
        by_id = queryset.filter(pk=run_id)
        return by_id if by_id.exists() else queryset.filter(route=text)
    flows = Flow.objects.filter(entity__in=mine, slug__icontains=text).values_list("pk", flat=True)[:MAX_FLOWS]
    return queryset.filter(flow__in=list(flows))


def _from_id(queryset: QuerySet[Any], lookup: str, text: str | None) -> QuerySet[Any]:
    """A run's id begins with the milliseconds at which it began (flows.ids): a time is a range of ids."""
    if not text:
        return queryset
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
        milliseconds = int(at.timestamp() * 1000)
    except (ValueError, OverflowError):
        return queryset.none()
    if not 0 <= milliseconds < 1 << 48:
        return queryset.none()
    return queryset.filter(**{lookup: UUID(int=milliseconds << 80)})


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
