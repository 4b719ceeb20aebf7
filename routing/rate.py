"""How often a route may be called: so many requests per clock minute, counted in the broker for all web processes.

A fixed window is the rule that a partner can be told and can plan with; two windows' worth around the turn of a minute
is its price. While the broker is away each process counts for itself: a limit that is too generous for a while is
better than a door that is shut.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

from redis import Redis

from routing.broker import Broker, broker

WINDOW_SECONDS = 60


@dataclass(frozen=True)
class Verdict:
    """`retry_after_seconds` is when the next window begins, also for a request that is allowed."""

    allowed: bool
    retry_after_seconds: int


@dataclass
class _Known:
    """What this process knows of a key: the highest count the broker told, and the requests it didn't hear of."""

    told: int = 0
    untold: int = 0


class Limiter:
    """Counts requests per key and window: in the broker when it answers, else in this process, from there on."""

    def __init__(self, shared: Broker, clock: Callable[[], float] = time.time) -> None:
        self._shared = shared
        self._clock = clock
        self._lock = Lock()
        self._window = 0
        self._counts: dict[str, _Known] = {}

    def check(self, key: str, per_minute: int | None) -> Verdict:
        """Counts one request for `key`, and says whether it is within its limit. None: there is no limit."""
        now = self._clock()
        window = int(now // WINDOW_SECONDS)
        left = max(1, round((window + 1) * WINDOW_SECONDS - now))
        if per_minute is None:
            return Verdict(True, left)
        told = self._shared.ask(lambda client: _count(client, f"chatflow:rate:{key}:{window}"))
        return Verdict(self._total(key, window, told) <= per_minute, left)

    def _total(self, key: str, window: int, told: int | None) -> int:
        with self._lock:
            if window > self._window:
                self._window, self._counts = window, {}
            known = self._counts.setdefault(key, _Known())
            if told is None:
                known.untold += 1
                return known.told + known.untold
            known.told = max(known.told, told)
            return told + known.untold


def _count(client: Redis, name: str) -> int:
    with client.pipeline(transaction=False) as pipeline:
        pipeline.incr(name)
        pipeline.expire(name, 2 * WINDOW_SECONDS)
        count, _ = pipeline.execute()
    return int(count)


@lru_cache(maxsize=1)
def limiter() -> Limiter:
    """The limiter of this process."""
    return Limiter(broker())
