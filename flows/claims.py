"""Who works on a run: a worker claims it by compare-and-set, for the time of a lease, under a fence.

Every write of its owner names the fence; an owner whose lease was taken over writes nothing any more.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.db.models import F, Q, QuerySet
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from flows.commits import commit
from flows.company import SUSPECT_AFTER
from flows.leases import lease_end
from flows.models import Run, RunState

MAX_CLAIMS = 5
"""Claims without a checkpoint in between; when the last one's lease is over, the run is dead (flows/alarms.py)."""

LOOKED_AT = 500
"""Runs among which those are found that were accepted first: one look stays cheap however many there are."""

HINT_GRACE_SECONDS = 3
"""How long a published hint has before the dispatcher publishes the run again."""


class LeaseLost(Exception):
    """Somebody else owns the run now. Stop, and write nothing."""


def claim(run_id: UUID, *, below: int = MAX_CLAIMS) -> Run | None:
    """Make the caller the owner of a queued run, or of one whose lease ran out. None where there is nothing to own.

    That is: somebody was faster, the run is held back or over, or `below` owners left it without a checkpoint.
    """
    won = commit(
        lambda: Run.objects.filter(_to_be_claimed(below), pk=run_id).update(
            state=RunState.RUNNING, fence=F("fence") + 1, attempt=F("attempt") + 1, wake_at=lease_end()
        )
    )
    return Run.objects.get(pk=run_id) if won else None


def is_suspect(run_id: UUID) -> bool:
    """Whether the run can be claimed, and so many owners left it that it should run alone (flows/company.py)."""
    return Run.objects.filter(_to_be_claimed(), pk=run_id, attempt__gte=SUSPECT_AFTER).exists()


def _to_be_claimed(below: int = MAX_CLAIMS) -> Q:
    """Queued and not held back, or left by an owner whose lease ran out."""
    lease_over = Q(state=RunState.RUNNING, wake_at__lt=Now(), attempt__lt=below)
    return Q(wake_at__isnull=False) & (Q(state=RunState.QUEUED) | lease_over)


def renew(run: Run) -> None:
    """Own the run for another lease. Raises LeaseLost."""
    commit(lambda: owned(run, wake_at=lease_end()))


def owned(run: Run, **changes: object) -> None:
    """Change the run's row as its owner; part of a write. Raises LeaseLost where the fence moved on or it isn't running."""
    if not Run.objects.filter(pk=run.pk, fence=run.fence, state=RunState.RUNNING).update(**changes):
        raise LeaseLost(f"Run {run.pk} belongs to another worker.")


def hinted() -> CombinedExpression:
    """The `wake_at` of a queued run whose hint is published with this write."""
    return Now() + timedelta(seconds=HINT_GRACE_SECONDS)


def queued(limit: int) -> list[UUID]:
    """Some runs that nobody works on, yet or any more, in the order in which they were accepted.

    Not in that of `wake_at`: whose hint is published again moves back there, and under load would for ever.
    """
    rows = Run.objects.filter(_to_be_claimed()).order_by("wake_at")
    return sorted(rows.values_list("pk", flat=True)[:LOOKED_AT])[:limit]


def held(route_id: str | None = None) -> QuerySet[Run]:
    """Runs that are held back (flows/holding.py), of one route or of all."""
    runs = Run.objects.filter(state=RunState.QUEUED, wake_at__isnull=True)
    return runs if route_id is None else runs.filter(route=route_id)
