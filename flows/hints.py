"""Wake a worker early. The message is a hint, a run id: the row is the truth, and the dispatcher finds what a lost hint left."""

from __future__ import annotations

import logging
import os
import threading
from queue import SimpleQueue
from uuid import UUID

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

TASK = "chatflow.run"
"""Name of the worker's task (routing/tasks.py)."""

log = logging.getLogger(__name__)
_queue: SimpleQueue[UUID] = SimpleQueue()
_lock = threading.Lock()
_thread: threading.Thread | None = None


def hint(run_id: UUID) -> None:
    """Publish `run_id` after the present transaction, from a thread of its own: no caller ever waits for the broker."""
    transaction.on_commit(lambda: _put(run_id), robust=True)


def _put(run_id: UUID) -> None:
    global _thread
    _queue.put(run_id)
    if _thread is None:
        with _lock:
            if _thread is None:
                _thread = threading.Thread(target=_publish, name="hints", daemon=True)
                _thread.start()


def _publish() -> None:
    while True:
        run_id = _queue.get()
        try:
            current_app.send_task(TASK, args=[str(run_id)], retry=False, ignore_result=True)
        except (OperationalError, OSError) as error:
            log.warning("The broker is away (%s); the dispatcher will bring the run to a worker.", type(error).__name__)


def _forget_thread() -> None:
    global _thread, _queue
    _thread, _queue = None, SimpleQueue()


os.register_at_fork(after_in_child=_forget_thread)
