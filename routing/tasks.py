"""What a worker does with a hint: take that run, and some more that wait."""

from __future__ import annotations

import logging
from uuid import UUID

from celery import shared_task
from django.db import close_old_connections

from flows import stopping
from flows.claims import queued
from flows.commits import AWAY
from flows.hints import TASK
from flows.runs import resume
from routing import lookout

MORE_AT_ONCE = 10
"""Further runs that one hint makes a worker take: a hint may be lost, and taking several costs one look-up."""

log = logging.getLogger(__name__)


@shared_task(name=TASK)
def take_run(run_id: str) -> None:
    """Carry on the run named by a hint, then others that are queued. A hint for nothing is dropped."""
    lookout.heard()
    try:
        wanted = UUID(run_id)
    except ValueError:
        log.warning("A hint that isn't a run id was dropped.")
        return
    take(wanted)


def take(run_id: UUID) -> None:
    """Carry on this run, then others that are queued, until this process is to stop or the database goes away."""
    close_old_connections()
    try:
        if not stopping.is_asked():
            resume(run_id)
        for other in queued(MORE_AT_ONCE):
            if stopping.is_asked():
                return
            resume(other)
    except AWAY as error:
        log.error("The database is away; what was under way goes on when its lease is over: %s", error)
    finally:
        close_old_connections()
