"""What waits for a person: versions to decide on, their own that were sent back, runs that need a look."""

from __future__ import annotations

from dataclasses import dataclass, field

from django.contrib.auth.models import User
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.urls import reverse

from flows.models import Entity, Run, RunState, Status, Version
from flows.roles import entities_of

MAX_SHOWN = 8
NEWEST_RUNS = 2_000
"""Dead runs are looked for among these: there is no index by state, and an old one was told by mail."""


@dataclass(frozen=True, slots=True)
class Line:
    text: str
    url: str
    about: str = ""


@dataclass(slots=True)
class Waiting:
    """Groups of lines, each under its heading; `hint` where somebody has to do something first."""

    groups: list[tuple[str, list[Line]]] = field(default_factory=list)
    hint: str = ""

    def add(self, heading: str, lines: list[Line]) -> None:
        if lines:
            self.groups.append((heading, lines))


def waiting_for(user: User) -> Waiting:
    """What the person's first page shows. Bounded, whatever the tables hold."""
    found = Waiting()
    mine = list(entities_of(user).order_by("slug").values_list("pk", flat=True)[:200])
    if not mine:
        found.hint = _hint(user)
        return found
    to_decide = _to_decide(user)
    found.add("To approve or decline", _versions(to_decide.filter(status=Status.SUBMITTED)))
    found.add("Approved, to deploy", _versions(to_decide.filter(status=Status.APPROVED)))
    found.add("Yours, sent back", _versions(_sent_back(user)))
    found.add("Runs in doubt", _runs(Run.objects.filter(entity__in=mine, state=RunState.IN_DOUBT)))
    newest = Run.objects.filter(entity__in=mine).order_by("-id").values("pk")[:NEWEST_RUNS]
    found.add("Runs given up lately", _runs(Run.objects.filter(pk__in=newest, state=RunState.DEAD)))
    return found


def _hint(user: User) -> str:
    if not user.is_superuser:
        return "You belong to no entity yet. An owner of one grants you a role; then its flows are here."
    if Entity.objects.exists():
        return ""
    return "There is no entity yet. Add one under Entities, then give people their roles under Memberships."


def _to_decide(user: User) -> QuerySet[Version]:
    """What the person may approve and deploy first: nothing that they worked on."""
    versions = Version.objects.filter(flow__entity__in=entities_of(user, "approve versions"))
    return versions.exclude(Q(submitted_by=user) | Q(contributors__user=user))


def _sent_back(user: User) -> QuerySet[Version]:
    newest = Version.objects.filter(flow=OuterRef("flow")).order_by("-number").values("pk")[:1]
    versions = Version.objects.filter(flow__entity__in=entities_of(user, "build flows"), submitted_by=user)
    return versions.filter(status=Status.DECLINED, pk=Subquery(newest))


def _versions(versions: QuerySet[Version]) -> list[Line]:
    shown = versions.select_related("flow__entity", "submitted_by").order_by("-submitted_at")[:MAX_SHOWN]
    return [
        Line(
            str(version),
            reverse("admin:flows_version_change", args=[version.pk]),
            f"{version.flow.entity}, submitted by {version.submitted_by}",
        )
        for version in shown
    ]


def _runs(runs: QuerySet[Run]) -> list[Line]:
    fields = ("created_at", "flow__name", "flow__entity__name")
    shown = runs.select_related("flow__entity").only(*fields).order_by("-id")[:MAX_SHOWN]
    return [
        Line(
            f"Run of {run.flow}",
            reverse("admin:flows_run_change", args=[run.pk]),
            f"{run.flow.entity}, began {run.created_at:%Y-%m-%d %H:%M} UTC",
        )
        for run in shown
    ]
