"""The one way into the database for runs: writes of many threads share one transaction, each caller gets its own outcome.

Inside an open transaction a write happens there. Otherwise one writer thread per process takes what has queued up,
commits it together, and wakes the callers after COMMIT. Where a shared transaction fails, each write is tried alone,
so that one caller's error stays that caller's.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

from django.db import DatabaseError, close_old_connections, transaction

T = TypeVar("T")
Write = Callable[[], T]

MAX_TOGETHER = 64
"""Writes per transaction: enough to share a disk flush, few enough to keep the lock short."""


def commit(write: Write[T]) -> T:
    """Run `write` (database statements only, safe to run again) and return its result once it is committed.

    Raises what `write` raises; then nothing of it is kept.
    """
    if transaction.get_connection().in_atomic_block:
        with transaction.atomic():
            return write()
    return _writer.submit(write)


class _Writer:
    """The writer thread and its queue. Started with the first write of a process."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[tuple[Write[Any], Future[Any]]] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, write: Write[T]) -> T:
        done: Future[T] = Future()
        self._queue.put((write, done))
        if self._thread is None:
            self._start()
        return done.result()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="commit", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            batch = [self._queue.get()]
            while len(batch) < MAX_TOGETHER and not self._queue.empty():
                batch.append(self._queue.get())
            close_old_connections()
            _write_together(batch)


def _write_together(batch: list[tuple[Write[Any], Future[Any]]]) -> None:
    try:
        with transaction.atomic():
            results = [write() for write, _ in batch]
    except Exception as error:  # noqa: BLE001 - every outcome, a bug's too, belongs to the caller who waits for it
        if len(batch) == 1:
            batch[0][1].set_exception(error)
            return
        for one in batch:
            if isinstance(error, DatabaseError):
                close_old_connections()
            _write_together([one])
        return
    for (_, done), result in zip(batch, results, strict=True):
        done.set_result(result)


_writer = _Writer()


def _forget_writer() -> None:
    """A forked process has no writer thread, whatever its parent's memory says."""
    global _writer
    _writer = _Writer()


os.register_at_fork(after_in_child=_forget_writer)
