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

import structlog
from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

WINDOW_SECONDS = 60

BROKER_TIMEOUT_SECONDS = 0.2
"""A count is worth no longer wait than this."""

BROKER_REST_SECONDS = 5.0
"""After a failure the broker isn't asked again for so long: a stalled one costs one request a wait, not every one."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Verdict:
    """`retry_after_seconds` is when the next window begins, also for a request that is allowed."""

    allowed: bool
    retry_after_seconds: int


class Limiter:
    """Counts requests per key and window: in `client` when it answers, else in this process."""

    def __init__(self, client: Redis | None, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._clock = clock
        self._rest_until = 0.0
        self._lock = Lock()
        self._window = 0
        self._counts: dict[str, int] = {}

    def check(self, key: str, per_minute: int | None) -> Verdict:
        """Counts one request for `key`, and says whether it is within its limit. None: there is no limit."""
        now = self._clock()
        window = int(now // WINDOW_SECONDS)
        left = max(1, round((window + 1) * WINDOW_SECONDS - now))
        if per_minute is None:
            return Verdict(True, left)
        count = self._count_in_broker(key, window, now)
        if count is None:
            count = self._count_here(key, window)
        return Verdict(count <= per_minute, left)

    def _count_in_broker(self, key: str, window: int, now: float) -> int | None:
        if self._client is None or now < self._rest_until:
            return None
        name = f"chatflow:rate:{key}:{window}"
        try:
            with self._client.pipeline(transaction=False) as pipeline:
                pipeline.incr(name)
                pipeline.expire(name, 2 * WINDOW_SECONDS)
                count, _ = pipeline.execute()
        except RedisError as error:
            self._rest_until = now + BROKER_REST_SECONDS
            log.warning("rate_limit_without_broker", error=str(error), rest_seconds=BROKER_REST_SECONDS)
            return None
        return int(count)

    def _count_here(self, key: str, window: int) -> int:
        with self._lock:
            if window != self._window:
                self._window, self._counts = window, {}
            self._counts[key] = self._counts.get(key, 0) + 1
            return self._counts[key]


@lru_cache(maxsize=1)
def limiter() -> Limiter:
    """The limiter of this process, over the broker of the settings."""
    return Limiter(client(settings.REDIS_URL) if settings.REDIS_URL else None)


def client(url: str) -> Redis:
    """A client that gives up at once: no second try, no long wait."""
    return Redis.from_url(
        url,
        socket_timeout=BROKER_TIMEOUT_SECONDS,
        socket_connect_timeout=BROKER_TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
