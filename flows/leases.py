"""How the owner of a run stays its owner: one thread per process renews the leases of all runs that it works on.

Leases are short, so that the runs of a process that died go on soon. They end by the database's clock; what an owner
believes about its own goes by a clock that runs on while the process is frozen.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db.models import Q
from django.db.models.expressions import CombinedExpression
from django.db.models.functions import Now

from flows.commits import AWAY, commit
from flows.models import Run, RunState

LEASE_SECONDS = 20
RENEW_SECONDS = 5
"""A lease older than this is renewed: so it outlives some slow commits, and short runs are never renewed."""

LOOK_SECONDS = 2.0
SURE_SECONDS = 12
"""So long after it was renewed a lease is ours for certain: nobody can have taken it over by then."""

MAX_STILL_SECONDS = 150
"""Longer than any step takes (an outside call: 60 s). A thread that hangs doesn't keep its run for ever."""

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class Lease:
    """One owner's hold on a run. `renewed_at` and `moved_at` (its last progress) are of the monotonic clock."""

    run_id: UUID
    fence: int
    renewed_at: float
    moved_at: float
    lost: bool = False

    def is_sure(self) -> bool:
        return not self.lost and time.monotonic() - self.renewed_at < SURE_SECONDS


def lease_end() -> CombinedExpression:
    """The `wake_at` of a run that is owned from now on."""
    return Now() + timedelta(seconds=LEASE_SECONDS)


class _Keeper:
    """The leases of this process, and the thread that renews them. Started with the first lease."""

    def __init__(self) -> None:
        self.leases: set[Lease] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def keep(self, run: Run, began_at: float) -> Lease:
        lease = Lease(run.pk, run.fence, began_at, began_at)
        with self._lock:
            self.leases.add(lease)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="leases", daemon=True)
                self._thread.start()
        return lease

    def drop(self, lease: Lease) -> None:
        with self._lock:
            self.leases.discard(lease)

    def _work(self) -> None:
        while True:
            time.sleep(LOOK_SECONDS)
            try:
                self.renew()
            except AWAY as error:
                log.error("The leases of %s runs can't be renewed: %s", len(self.leases), error)
            except Exception:  # a bug, told as one; without this thread every run would be lost
                log.exception("The leases of %s runs can't be renewed.", len(self.leases))

    def renew(self) -> None:
        """Renew every lease that has come to it, in one statement; note which are lost."""
        now = time.monotonic()
        for lease in list(self.leases):
            if now - lease.moved_at > MAX_STILL_SECONDS:
                log.error(
                    "Run %s hangs: it made no progress for %s s. Its lease runs out.", lease.run_id, MAX_STILL_SECONDS
                )
                self.drop(lease)
        due = [lease for lease in list(self.leases) if now - lease.renewed_at > RENEW_SECONDS]
        if not due:
            return
        ours = Q()
        for lease in due:
            ours |= Q(pk=lease.run_id, fence=lease.fence)
        runs = Run.objects.filter(ours, state=RunState.RUNNING)
        renewed = commit(lambda: runs.update(wake_at=lease_end()))
        kept = set(runs.values_list("pk", "fence")) if renewed < len(due) else None
        for lease in due:
            if kept is None or (lease.run_id, lease.fence) in kept:
                lease.renewed_at = now
            else:
                lease.lost = True


_keeper = _Keeper()


def keep(run: Run, began_at: float) -> Lease:
    """Have the run's lease renewed until it is dropped. `began_at`: the monotonic time before the claim was written."""
    return _keeper.keep(run, began_at)


def drop(lease: Lease) -> None:
    """Let the lease run out: the run is over, put down, or somebody else's."""
    _keeper.drop(lease)


def are_held() -> bool:
    """Whether this process works on any run."""
    return bool(_keeper.leases)


def _forget_keeper() -> None:
    """A forked process works on nothing yet."""
    global _keeper
    _keeper = _Keeper()


os.register_at_fork(after_in_child=_forget_keeper)
