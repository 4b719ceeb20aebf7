"""Runs that are held back because their route is paused: queued, but nobody has to look at them (`wake_at` is null).

A run that has begun goes on: its caller counts on it, and half a flow is worse than none.
"""

from __future__ import annotations

from uuid import UUID

from flows.claims import held, hinted
from flows.commits import commit
from flows.hints import hint
from flows.models import Run, RunState

BATCH = 500
"""Runs per transaction: the others shall get their turn to write."""


def hold(route_id: str) -> int:
    """Hold back what the route has accepted and nobody has begun; returns how many."""
    waiting = Run.objects.filter(route=route_id, state=RunState.QUEUED, fence=0, wake_at__isnull=False)
    return commit(lambda: waiting.update(wake_at=None))


def release(route_id: str) -> int:
    """Bring what was held back to the workers, the oldest first; returns how many. Safe to call at any time."""
    released = 0
    while batch := list(held(route_id).order_by("pk").values_list("pk", flat=True)[:BATCH]):

        def write(run_ids: list[UUID] = batch) -> int:
            changed = held(route_id).filter(pk__in=run_ids).update(wake_at=hinted())
            for run_id in run_ids:
                hint(run_id)
            return changed

        released += commit(write)
    return released


def held_count(route_id: str) -> int:
    """How many runs of the route are held back."""
    return held(route_id).count()
