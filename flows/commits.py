"""The one way into the database for runs: writes of many threads share one transaction, each caller gets its own outcome.

Inside an open transaction a write happens there. Otherwise one writer thread per process takes what has queued up,
commits it together, and wakes the callers after COMMIT. Where a shared transaction fails, each write is tried alone,
so that one caller's error stays that caller's. A database that goes away is waited for, some seconds: nobody knows then
what became of a COMMIT that was under way, so a write is only done again where it wasn't kept.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections, connection, transaction

from flows.lending import give_back
from flows.origin import carried

T = TypeVar("T")

AWAY = (OperationalError, InterfaceError)
"""The database is away or overloaded: not a bug, and soon over."""

MAX_TOGETHER = 64
"""Writes per transaction: enough to share a disk flush, few enough to keep the lock short."""

PATIENCE_SECONDS = 10
"""How long a database that went away is waited for: it may only be starting again."""

TRIES = 2
"""Of a write alone: one that fails this often, while the database answers, fails by itself."""


def commit(write: Callable[[], T], *, kept: Callable[[], bool] | None = None) -> T:
    """Run `write` (database statements only) and return its result once it is committed.

    Raises what `write` raises; then nothing of it is kept. One of AWAY means that nobody knows. A write that may not be
    done twice says with `kept` whether the database has it already; then it isn't done again, and returns None.
    """
    if transaction.get_connection().in_atomic_block:
        with transaction.atomic():
            return write()
    give_back()  # else as many threads as the pool has connections, all waiting here, would leave the writer none
    result: T = _writer.submit(_Asked(carried(write), kept))
    return result


@dataclass(frozen=True, slots=True)
class _Asked:
    """A write that somebody waits for."""

    write: Callable[[], Any]
    kept: Callable[[], bool] | None
    done: Future[Any] = field(default_factory=Future)


class _Writer:
    """The writer thread and its queue. Started with the first write of a process."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[_Asked] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def submit(self, asked: _Asked) -> Any:
        self._queue.put(asked)
        if self._thread is None:
            self._start()
        return asked.done.result()

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
            try:
                close_old_connections()
                _write_together(batch)
            except Exception as error:  # noqa: BLE001 - the thread goes on; without an outcome its callers would wait for ever
                for asked in batch:
                    if not asked.done.done():
                        asked.done.set_exception(error)


def _write_together(batch: list[_Asked]) -> None:
    try:
        with transaction.atomic():
            results = [asked.write() for asked in batch]
    except AWAY as error:
        _write_apart(batch, error)
    except Exception as error:  # noqa: BLE001 - every outcome, a bug's too, belongs to the caller who waits for it
        if len(batch) == 1:
            batch[0].done.set_exception(error)
        else:
            _write_apart(batch, None)
    else:
        for asked, result in zip(batch, results, strict=True):
            asked.done.set_result(result)


def _write_apart(batch: list[_Asked], away: Exception | None) -> None:
    """Each write alone, as long as the database is there."""
    gone = away if away is not None and not _is_back() else None
    for asked in batch:
        gone = gone or _write_alone(asked)
        if gone is not None:
            asked.done.set_exception(gone)


def _write_alone(asked: _Asked) -> Exception | None:
    """Sets the outcome. Where the database has gone away for good, returns the error instead."""
    for _ in range(TRIES):
        try:
            with transaction.atomic():
                result = None if asked.kept is not None and asked.kept() else asked.write()
        except AWAY as error:
            away: Exception = error
            if not _is_back():
                return error
        except Exception as error:  # noqa: BLE001 - as above
            asked.done.set_exception(error)
            return None
        else:
            asked.done.set_result(result)
            return None
    asked.done.set_exception(away)
    return None


def _is_back() -> bool:
    """Waits for a database that answers."""
    patient_until = time.monotonic() + PATIENCE_SECONDS
    while True:
        connection.close()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            return True
        except AWAY:
            if time.monotonic() > patient_until:
                return False
            time.sleep(0.2)


_writer = _Writer()


def _forget_writer() -> None:
    """A forked process has no writer thread, whatever its parent's memory says."""
    global _writer
    _writer = _Writer()


os.register_at_fork(after_in_child=_forget_writer)
