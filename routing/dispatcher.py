"""The one process that looks for work by the clock: lost hints, leases that ran out, timers that are due.

Any number may run; a row in the database lets one of them work, and another takes over when it isn't seen any more.
"""

from __future__ import annotations

import logging
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import IntegrityError, close_old_connections, connection
from django.db.models import Q
from django.db.models.functions import Now

from flows import retention
from flows.commits import AWAY, commit
from flows.hints import hint
from flows.models import Heartbeat, Run, RunState
from routing import modes, refusals
from routing.replays import forget_old

NAME = "dispatcher"
PERIOD_SECONDS = 1.0
TAKE_OVER_SECONDS = 10
"""Silence after which another dispatcher takes over."""

BATCH = 500
HINT_AGAIN_SECONDS = 6
"""A published run that nobody claimed is published again after this."""

CHORES: tuple[tuple[Callable[[], object], float], ...] = (
    (modes.tidy, 10),
    (forget_old, 600),
    (refusals.forget_old, 600),
)
"""What else one process alone does, with the seconds in between."""

CLEAN_UP_SECONDS = 3600
"""How often old runs are deleted (flows/retention.py): beside the dispatching, since a first pass may take long."""

log = logging.getLogger(__name__)


def work(stop: threading.Event) -> None:
    """Dispatch once a second until `stop` is set. The database may go away and come back."""
    owner = f"{platform.node()}:{os.getpid()}"
    due = dict.fromkeys(CHORES, 0.0)
    leading = threading.Event()
    threading.Thread(target=_clean_up, args=(stop, leading), name="retention", daemon=True).start()
    while not stop.is_set():
        close_old_connections()
        with _patience():
            if not lead(owner):
                leading.clear()
            else:
                leading.set()
                dispatch()
                for chore, at in due.items():
                    if time.monotonic() > at:
                        due[chore] = time.monotonic() + chore[1]
                        chore[0]()
        stop.wait(PERIOD_SECONDS)
    with _patience():
        Heartbeat.objects.filter(name=NAME, owner=owner).delete()


def _clean_up(stop: threading.Event, leading: threading.Event) -> None:
    """Delete what entities no longer keep, once an hour, where this dispatcher leads."""
    while not stop.wait(1):
        if not leading.is_set():
            continue
        close_old_connections()
        with _patience():
            for _ in retention.clean_up(stopped=stop.is_set):
                pass
        connection.close()
        stop.wait(CLEAN_UP_SECONDS)


@contextmanager
def _patience() -> Iterator[None]:
    """Where the database is away, say so and go on: the next second may find it."""
    try:
        yield
    except AWAY as error:
        log.error("The database is away: %s", error)


def lead(owner: str) -> bool:
    """Whether `owner` is the dispatcher that works now; says so in the database."""
    silent = Q(at__lt=Now() - timedelta(seconds=TAKE_OVER_SECONDS))
    mine = Heartbeat.objects.filter(Q(owner=owner) | silent, name=NAME)
    if commit(lambda: mine.update(owner=owner, at=Now())):
        return True
    if Heartbeat.objects.filter(name=NAME).exists():
        return False
    try:
        commit(lambda: Heartbeat.objects.create(name=NAME, owner=owner, at=Now()))
    except IntegrityError:
        return False
    return True


def dispatch() -> int:
    """Bring every run that is due to a worker; returns how many. One indexed query, and one write where there are any."""
    due = Run.objects.filter(wake_at__lte=Now()).order_by("wake_at").values_list("pk", flat=True)[:BATCH]
    run_ids = list(due)
    if not run_ids:
        return 0

    def write() -> None:
        again = Now() + timedelta(seconds=HINT_AGAIN_SECONDS)
        runs = Run.objects.filter(pk__in=run_ids, wake_at__lte=Now())
        runs.filter(state__in=[RunState.QUEUED, RunState.WAITING]).update(state=RunState.QUEUED, wake_at=again)
        for run_id in run_ids:
            hint(run_id)

    commit(write)
    if len(run_ids) > 1:
        log.info("Brought %s runs to the workers.", len(run_ids))
    return len(run_ids)
