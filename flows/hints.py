"""Wake a worker early. The message is a hint, a run id: the row is the truth, and a run whose hint is lost is found.

One thread per process publishes, so that no caller ever waits for the broker. What it can't publish it drops: a broker
that was away gets no flood of old hints, and one that nobody reads from doesn't fill up.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from queue import SimpleQueue
from typing import Any
from uuid import UUID

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

TASK = "chatflow.run"
"""Name of the worker's task (routing/tasks.py)."""

MAX_WAITING = 5_000
"""Hints in the broker: more wake nobody, since whoever takes one looks for other runs too."""

COUNT_AGAIN_SECONDS = 1.0

log = logging.getLogger(__name__)


def hint(run_id: UUID) -> None:
    """Publish `run_id` after the present transaction."""
    transaction.on_commit(lambda: _publisher.put(run_id), robust=True)


class _Publisher:
    """The thread that publishes. Started with the first hint of a process."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[UUID] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._counted_at, self._crowded = float("-inf"), False

    def put(self, run_id: UUID) -> None:
        self._queue.put(run_id)
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._work, name="hints", daemon=True)
                    self._thread.start()

    def _work(self) -> None:
        while True:
            run_id = self._queue.get()
            try:
                self._publish(run_id)
            except (OperationalError, OSError) as error:
                lost = 1 + self._drop_all()
                log.warning("The broker is away (%s): %s runs reach a worker later.", type(error).__name__, lost)
            except Exception:  # a bug, told as one; the thread goes on
                log.exception("A hint was lost.")

    def _publish(self, run_id: UUID) -> None:
        with current_app.producer_pool.acquire(block=True, timeout=1) as producer:
            if time.monotonic() - self._counted_at > COUNT_AGAIN_SECONDS:
                channel: Any = producer.channel
                waiting = channel.queue_declare(queue=current_app.conf.task_default_queue).message_count
                self._crowded, self._counted_at = waiting >= MAX_WAITING, time.monotonic()
            if not self._crowded:
                current_app.send_task(TASK, args=[str(run_id)], producer=producer, retry=False, ignore_result=True)

    def _drop_all(self) -> int:
        dropped = self._queue.qsize()
        for _ in range(dropped):
            self._queue.get()
        return dropped


_publisher = _Publisher()


def _forget_publisher() -> None:
    """A forked process has no thread, whatever its parent's memory says."""
    global _publisher
    _publisher = _Publisher()


os.register_at_fork(after_in_child=_forget_publisher)
