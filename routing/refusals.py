"""Refused calls, kept for those who look after a route: when, from where, by which rule.

The door only notes them in memory. A thread that lives while there is something to write does so once a second; so a
refusal costs a caller no wait, and floods cost the database a bounded number of small writes. Of one caller and rule so
many are kept a minute, of one route so many in all: every one is counted in /metrics.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections import Counter as Tally
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from prometheus_client import Counter

from flows.commits import commit
from routing import caller
from routing.caller import Caller
from routing.errors import AWAY
from routing.models import Refusal, Route
from routing.problem import Problem

KEPT_PER_ROUTE = 500
KEPT_FOR = timedelta(days=30)
PER_CALLER_AND_MINUTE = 30
"""One caller who is refused for the same reason, again and again, leaves room for what others met."""

PER_ROUTE_AND_MINUTE = 300
MAX_PENDING = 5_000
"""Of a process, while the database is away: some megabytes; the oldest go."""

PERIOD_SECONDS = 1.0
RETRY_SECONDS = 5.0
UNKNOWN = "route_not_found"

REFUSED = Counter("chatflow_refused_calls", "Calls that a route refused, by the rule.", ["code"], registry=None)
log = logging.getLogger(__name__)

_PREFIX = re.compile(r"(?<![A-Za-z0-9_-])cft_[a-z2-7]{8}(?![a-z2-7])", re.ASCII)


def note(route_id: str, meta: Mapping[str, Any], problem: Problem) -> None:
    """Count a refused call, and remember it if there is such a route. Asks no database and waits for nobody."""
    if "X-Run-Id" in problem.headers:
        return  # its run failed: nothing was refused
    REFUSED.labels(problem.code).inc()
    _book.add(route_id, meta, problem)


def flush() -> int:
    """Write what was noted; returns how many rows that made. Raises errors.AWAY; then it stays noted."""
    return _book.flush()


def forget_old(limit: int = 1000) -> None:
    """Delete what is older than it is kept, some at once."""
    old = Refusal.objects.filter(at__lt=timezone.now() - KEPT_FOR).order_by("at")
    ids = list(old.values_list("pk", flat=True)[:limit])
    if ids:
        commit(lambda: Refusal.objects.filter(pk__in=ids).delete())


def _row(route_id: str, meta: Mapping[str, Any], found: Caller, problem: Problem) -> Refusal:
    tokens = (str(meta.get(name, "")) for name in ("HTTP_AUTHORIZATION", "HTTP_X_API_TOKEN"))
    prefix = next((match[0] for match in map(_PREFIX.search, tokens) if match), "")
    return Refusal(
        route_id=route_id,
        at=timezone.now(),
        code=problem.code,
        reason=_kept(problem.reason, 300),
        method=_kept(str(meta.get("REQUEST_METHOD", "")), 16),
        seen=_kept(found.seen, 64),
        forwarded=_kept((found.forwarded or "")[-200:], 200),  # proxies of ours write on the right, callers on the left
        address=str(found.address or ""),
        token_prefix=prefix,
    )


def _kept(text: str, limit: int) -> str:
    """What strangers sent, as the database keeps it and a page can show it."""
    text = text[:limit]
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


class _Book:
    """What was noted and isn't written yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending: deque[Refusal] = deque(maxlen=MAX_PENDING)
        self._thread: threading.Thread | None = None
        self._minute = 0
        self._noted: Tally[tuple[str, ...]] = Tally()

    def add(self, route_id: str, meta: Mapping[str, Any], problem: Problem) -> None:
        found = caller.of(meta)
        # Routes that aren't there share one place, so that made-up addresses fill no memory.
        route = "" if problem.code == UNKNOWN else route_id
        with self._lock:
            if not self._is_within_limits(route, problem.code, str(found)):
                return
            self._pending.append(_row(route_id, meta, found, problem))
            if self._thread is None and not transaction.get_connection().in_atomic_block:
                # No daemon, as the server's threads are: Python waits for it at an orderly exit, and for the last write.
                self._thread = threading.Thread(target=self._write_all, name="refusals", daemon=False)
                self._thread.start()

    def _is_within_limits(self, route: str, code: str, address: str) -> bool:
        minute = int(time.monotonic() // 60)
        if minute != self._minute:
            self._minute, self._noted = minute, Tally()
        by_caller = (route, code, address)
        if self._noted[route,] >= PER_ROUTE_AND_MINUTE or self._noted[by_caller] >= PER_CALLER_AND_MINUTE:
            return False
        self._noted[route,] += 1
        self._noted[by_caller] += 1
        return True

    def _write_all(self) -> None:
        """The thread: it ends when everything is written, or when the process ends and the database is away."""
        away = False
        while True:
            time.sleep(RETRY_SECONDS if away else PERIOD_SECONDS)
            try:
                self.flush()
                away = False
            except AWAY as error:
                away = True
                log.warning("Refused calls can't be written now (%s); they are kept for a while.", error)
            except Exception:
                log.exception("Some refused calls couldn't be written and are forgotten.")
            with self._lock:
                if not self._pending or (away and not threading.main_thread().is_alive()):
                    self._thread = None
                    return

    def flush(self) -> int:
        with self._lock:
            rows = list(self._pending)
            self._pending.clear()
        try:
            return commit(lambda: _write(rows)) if rows else 0
        except AWAY:
            with self._lock:
                self._pending.extendleft(reversed(rows))
            raise


def _write(rows: Iterable[Refusal]) -> int:
    """Those of routes that are there: one may have been removed meanwhile, or never have been."""
    there = set(Route.objects.filter(pk__in={row.route_id for row in rows}).values_list("pk", flat=True))
    known = [row for row in rows if row.route_id in there]
    Refusal.objects.bulk_create(known)
    for route_id in {row.route_id for row in known}:
        _keep_newest(route_id)
    return len(known)


def _keep_newest(route_id: str) -> None:
    of_route = Refusal.objects.filter(route=route_id)
    last = of_route.order_by("-id").values_list("id", flat=True)[KEPT_PER_ROUTE : KEPT_PER_ROUTE + 1].first()
    if last is not None:
        of_route.filter(id__lte=last).delete()


_book = _Book()


def _forget_book() -> None:
    """A forked process has no such thread; what was noted is its parent's to write."""
    global _book
    _book = _Book()


os.register_at_fork(after_in_child=_forget_book)
