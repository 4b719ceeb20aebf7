"""A worker's own look for queued runs, for when no hint comes: the broker is away, or has forgotten this worker.

The rows are the truth, so nothing else is needed to go on. While hints come, it asks for nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

from django.db import close_old_connections

from flows import stopping
from flows.claims import queued
from flows.commits import AWAY

QUIET_SECONDS = 3.0
"""Silence after which a worker looks for itself."""

LOOK_SECONDS = 1.0

log = logging.getLogger(__name__)
_heard_at = float("-inf")


def heard() -> None:
    """A hint came."""
    global _heard_at
    _heard_at = time.monotonic()


def start(take: Callable[[UUID], None], threads: int) -> None:
    """Look out from a thread of its own for as long as this process lives; `take` runs in up to `threads` others."""
    threading.Thread(target=Lookout(take, threads).work, name="lookout", daemon=True).start()


class Lookout:
    def __init__(self, take: Callable[[UUID], None], threads: int) -> None:
        self._take, self._threads = take, threads
        self._free = threading.BoundedSemaphore(threads)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="lookout")

    def work(self) -> None:
        while not stopping.is_asked():
            if time.monotonic() - _heard_at > QUIET_SECONDS:
                self.look()
            time.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Have queued runs taken, as many at once as there are threads free."""
        try:
            found = queued(self._threads)
        except AWAY as error:
            log.error("The database is away: %s", error)
            found = []
        finally:
            close_old_connections()
        for run_id in found:
            self._free.acquire()
            self._pool.submit(self._take_one, run_id)

    def _take_one(self, run_id: UUID) -> None:
        try:
            self._take(run_id)
        except Exception:  # a bug, told as one; its run goes on when its lease is over
            log.exception("Run %s could not be taken.", run_id)
        finally:
            self._free.release()
