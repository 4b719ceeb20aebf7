"""Requests that come again with the same Idempotency-Key: found, compared, and kept for 72 hours."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from flows.commits import commit
from flows.execution import Also
from flows.models import Run
from routing.models import IdempotencyRecord, Route
from routing.problem import Problem

KEPT_FOR = timedelta(hours=72)


def earlier_run(route: Route, key: str, fingerprint: str) -> Run | None:
    """The run that this key stands for, None if it is new. 422 where it stands for another request."""
    kept = IdempotencyRecord.objects.select_related("run").filter(created_at__gt=timezone.now() - KEPT_FOR)
    record = kept.filter(route=route, key=key).first()
    if record is None:
        return None
    if record.fingerprint != fingerprint:
        raise Problem("idempotency_key_reused", "This Idempotency-Key came with another request before.")
    return record.run


def remember(route: Route, key: str, fingerprint: str) -> Also:
    """What is written with the new run; an IntegrityError means that the same key came at the same moment."""

    def write(run: Run) -> None:
        IdempotencyRecord.objects.filter(route=route, key=key, created_at__lte=timezone.now() - KEPT_FOR).delete()
        IdempotencyRecord.objects.create(route=route, key=key, fingerprint=fingerprint, run=run)

    return write


def forget_old(limit: int = 1000) -> int:
    """Delete records past their time, some at once; returns how many."""
    old = IdempotencyRecord.objects.filter(created_at__lte=timezone.now() - KEPT_FOR).order_by("created_at")
    ids = list(old.values_list("pk", flat=True)[:limit])
    if ids:
        commit(lambda: IdempotencyRecord.objects.filter(pk__in=ids).delete())
    return len(ids)
