"""How much work may pile up: a queue without an end only hides that nobody keeps up with it.

Each process counts for itself, at most once a second, so that the bound is exact to what a second brings.
"""

from __future__ import annotations

import threading
import time
from datetime import timedelta

from django.db.models.functions import Now

from flows.claims import held
from flows.models import Run, RunState

MAX_QUEUED = 50_000
"""Accepted runs that nobody has begun: what a worker process does in ten minutes or so. More only wait longer."""

COUNT_AGAIN_SECONDS = 1.0
SOON = timedelta(seconds=10)
"""A queued run is looked at again by then, so that timers that are far off aren't counted through."""


class QueueFull(Exception):
    """So many accepted runs wait that no more are taken. Some seconds later there may be room."""


class _Count:
    """What this process last counted, and what it has added since."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.queued, self.at = 0, float("-inf")


_count = _Count()


def make_room() -> None:
    """Count one run more. Raises QueueFull where there is no room for it."""
    with _count.lock:
        now = time.monotonic()
        if now - _count.at > COUNT_AGAIN_SECONDS:
            _count.queued, _count.at = _counted(), now
        if _count.queued >= MAX_QUEUED:
            raise QueueFull(f"{MAX_QUEUED} accepted runs wait already.")
        _count.queued += 1


def _counted() -> int:
    """Runs that wait for a worker, those held back too, as far as it matters: by two indexes, never past the bound."""
    soon = Run.objects.filter(state=RunState.QUEUED, wake_at__lte=Now() + SOON).order_by()[:MAX_QUEUED]
    return soon.count() + held().order_by()[:MAX_QUEUED].count()
