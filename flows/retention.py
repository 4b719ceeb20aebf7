"""How long finished runs are kept: as many days as their entity says, then they are deleted with all that hangs on them.

Runs that aren't over stay, however old. Contents stay too: they are what authors wrote, not what callers sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from flows import changes
from flows.commits import commit
from flows.ids import first_id_at
from flows.models import TERMINAL, Entity, Run

BATCH = 200
"""Runs per transaction: the others shall get their turn to write."""

ACTION = "deleted old runs"

log = logging.getLogger(__name__)

Progress = Callable[[int], None]
"""Told after each batch how many runs are deleted so far."""

Stopped = Callable[[], bool]
"""Asked after each batch whether to leave the rest for later."""


@dataclass(frozen=True, slots=True)
class Pass:
    """What one look at an entity did: how many runs were deleted, all of them finished before `before`."""

    entity: Entity
    before: datetime
    runs: int


def due(entity: Entity, keep_runs_days: int | None, *, now: datetime | None = None) -> QuerySet[Run]:
    """The entity's runs that wouldn't be kept if it kept them for so many days, by id; none for None."""
    if keep_runs_days is None:
        return Run.objects.none()
    before = (now or timezone.now()) - timedelta(days=keep_runs_days)
    # A run is made before it is finished: the ids bound what the index has to look at.
    runs = Run.objects.filter(entity=entity, id__lt=first_id_at(before), finished_at__lt=before, state__in=TERMINAL)
    return runs.order_by("id")


def clean_up(
    progress: Progress = lambda runs: None, *, stopped: Stopped = lambda: False, entity: Entity | None = None
) -> Iterator[Pass]:
    """Delete the runs that are due, of one entity or of all; yields what was done in each that had any."""
    entities = Entity.objects.filter(keep_runs_days__isnull=False).order_by("slug")
    for one in entities.filter(pk=entity.pk) if entity else entities:
        done = _clean(one, progress, stopped)
        if done.runs:
            log.info("Deleted %s runs of %s that were finished before %s.", done.runs, one.slug, done.before)
            yield done


def delete_runs(run_ids: list[UUID]) -> int:
    """Delete finished runs with their segments, effects and keys; part of a write. Returns how many there still were."""
    _, counts = Run.objects.filter(pk__in=run_ids, state__in=TERMINAL).delete()
    return counts.get(Run._meta.label, 0)


def _clean(entity: Entity, progress: Progress, stopped: Stopped) -> Pass:
    """Batch by batch. What was deleted is recorded with the last one, or with the one that failed."""
    now = timezone.now()
    runs = due(entity, entity.keep_runs_days, now=now)
    before = now - timedelta(days=entity.keep_runs_days or 0)
    deleted = 0
    try:
        while not stopped() and (batch := list(runs.values_list("pk", flat=True)[:BATCH])):
            deleted += commit(lambda batch=batch: delete_runs(batch))  # type: ignore[misc]
            progress(deleted)
    finally:
        if deleted:
            commit(lambda: _record(entity, deleted, before))
    return Pass(entity, before, deleted)


def _record(entity: Entity, runs: int, before: datetime) -> None:
    facts = {"runs": runs, "finished_before": before, "keep_runs_days": entity.keep_runs_days}
    changes.record(entity, by=None, action=ACTION, subject=f"entity:{entity.pk}", title=entity.name, after=facts)
