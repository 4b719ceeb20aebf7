"""Callers of a route, from several threads: each order is called until it has its answer, always with its own key."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

PATIENCE_SECONDS = 180
"""How long one order is tried; then it counts as unanswered."""

RETRIED = {409, 503}
"""Answers that ask to come again."""


@dataclass(frozen=True)
class Reply:
    status: int
    body: Any
    headers: dict[str, str]
    seconds: float


def call(route: dict[str, str], body: Any, key: str = "", timeout_seconds: float = 60) -> Reply:
    """One request on a connection of its own. Raises OSError or HTTPException where no answer came."""
    url = urlsplit(route["url"])
    began = time.monotonic()
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=timeout_seconds)
    headers = {"Authorization": f"Bearer {route['token']}", "Content-Type": "application/json"}
    try:
        connection.request("POST", url.path, json.dumps(body), {**headers, **({"Idempotency-Key": key} if key else {})})
        response = connection.getresponse()
        data = response.read()
        told = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, _read(data), told, time.monotonic() - began)
    finally:
        connection.close()


def _read(data: bytes) -> Any:
    """JSON as what it means; anything else, which shouldn't come, as text."""
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")


@dataclass
class Load:
    """Calls of one route. `allow` lets so many orders in all be begun; `accepted` has the run of each that was answered."""

    route: dict[str, str]
    orders: Sequence[str]
    callers: int = 16
    accepted: dict[str, str] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int | str] = field(default_factory=Counter)
    unexpected: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.began_at = datetime.now(UTC)
        self._waiting = iter(self.orders)
        self._lock = threading.Lock()
        self._allowed = threading.Semaphore(0)
        self._threads = [threading.Thread(target=self._call_all, daemon=True) for _ in range(self.callers)]

    @property
    def route_id(self) -> str:
        return self.route["url"].rpartition("/")[2]

    def start(self, allowed: int | None = None) -> Load:
        """Begin with so many orders, or with all."""
        self.allow_all() if allowed is None else self.allow(allowed)
        for thread in self._threads:
            thread.start()
        return self

    def allow(self, more: int) -> None:
        if more:
            self._allowed.release(more)

    def allow_all(self) -> None:
        self.allow(len(self.orders) + 1)  # whoever finds no further order ends

    def busy(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _call_all(self) -> None:
        while True:
            self._allowed.acquire()
            with self._lock:
                order = next(self._waiting, None)
            if order is None:
                self.allow(1)  # wakes the next thread that waits in vain
                return
            self._call_until_answered(order)

    def _call_until_answered(self, order: str) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            try:
                reply = call(self.route, {"order": order, "price": 10}, key=order)
            except (OSError, http.client.HTTPException) as error:
                self.statuses[type(error).__name__] += 1
                time.sleep(0.1)
                continue
            self.statuses[reply.status] += 1
            self.seconds.append(reply.seconds)
            if reply.status in (200, 202):
                self.accepted[order] = reply.body.get("run_id") or reply.headers["x-run-id"]
                return
            if reply.status not in RETRIED:
                self.unexpected.append(f"{order}: {reply.status} {reply.body}")
            time.sleep(0.2)
        self.unexpected.append(f"{order}: no answer in {PATIENCE_SECONDS} s")


def percentile(values: list[float], percent: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * percent / 100), len(ordered) - 1)] if ordered else 0.0
