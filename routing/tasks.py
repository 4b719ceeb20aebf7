"""What a worker does with a hint: take that run, and some more that wait."""

from __future__ import annotations

import logging
from uuid import UUID

from celery import shared_task

from flows.claims import queued
from flows.hints import TASK
from flows.runs import resume

MORE_AT_ONCE = 10
"""Further runs that one hint makes a worker take: a hint may be lost, and taking several costs one look-up."""

log = logging.getLogger(__name__)


@shared_task(name=TASK)
def take_run(run_id: str) -> None:
    """Carry on the run named by a hint, then others that are queued. A hint for nothing is dropped."""
    try:
        wanted = UUID(run_id)
    except ValueError:
        log.warning("A hint that isn't a run id was dropped.")
        return
    resume(wanted)
    for other in queued(MORE_AT_ONCE):
        resume(other)
