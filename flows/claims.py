"""Who works on a run: a worker claims it by compare-and-set, for the time of a lease, under a fence.

Every write of its owner names the fence; an owner whose lease was taken over writes nothing any more.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from uuid import UUID

from django.db.models import F, Q
from django.db.models.functions import Now

from flows.commits import commit
from flows.models import Run, RunState

LEASE_SECONDS = 90
"""Longer than the longest outside call (60 s), its connecting and a slow checkpoint."""

RENEW_AFTER_SECONDS = 15
"""A lease older than this is renewed before the next step."""

MAX_CLAIMS = 5
"""Claims without a checkpoint in between; then the run is dead."""

log = logging.getLogger(__name__)


class LeaseLost(Exception):
    """Somebody else owns the run now. Stop, and write nothing."""


def claim(run_id: UUID) -> Run | None:
    """Make the caller the owner of a queued run, or of one whose lease ran out. None where somebody was faster."""
    lease_over = Q(state=RunState.RUNNING, wake_at__lt=Now())
    won = commit(
        lambda: Run.objects.filter(Q(state=RunState.QUEUED) | lease_over, pk=run_id).update(
            state=RunState.RUNNING,
            fence=F("fence") + 1,
            attempt=F("attempt") + 1,
            wake_at=Now() + timedelta(seconds=LEASE_SECONDS),
        )
    )
    return Run.objects.get(pk=run_id) if won else None


def renew(run: Run) -> None:
    """Own the run for another lease. Raises LeaseLost."""
    owned(run, wake_at=Now() + timedelta(seconds=LEASE_SECONDS))


def owned(run: Run, **changes: object) -> None:
    """Change the run's row as its owner. Raises LeaseLost where the fence moved on or the run isn't running."""
    held = Run.objects.filter(pk=run.pk, fence=run.fence, state=RunState.RUNNING)
    if not commit(lambda: held.update(**changes)):
        raise LeaseLost(f"Run {run.pk} belongs to another worker.")


def queued(limit: int) -> list[UUID]:
    """Some runs that nobody works on yet, the longest waiting first."""
    rows = Run.objects.filter(state=RunState.QUEUED, wake_at__isnull=False).order_by("wake_at")
    return list(rows.values_list("pk", flat=True)[:limit])
