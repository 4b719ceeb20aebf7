"""What the door asks the broker: small counts that all web processes share, and that are worth no wait.

A broker that is away or frozen costs one request in five seconds 0.2 s; the others don't ask, and count for themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from threading import Lock
from typing import TypeVar

import structlog
from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

T = TypeVar("T")

TIMEOUT_SECONDS = 0.2
"""An answer is worth no longer wait than this."""

REST_SECONDS = 5.0
"""After a failure the broker isn't asked for so long."""

log = structlog.get_logger(__name__)


class Broker:
    """The broker as one process knows it: it answers at once, or it is away."""

    def __init__(self, client: Redis | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._away_until: float | None = None
        self._lock = Lock()

    def ask(self, question: Callable[[Redis], T]) -> T | None:
        """The broker's answer; None while it is away."""
        if self._client is None or not self._may_ask():
            return None
        try:
            answer = question(self._client)
        except RedisError as error:
            self._away_until = self._clock() + REST_SECONDS
            log.warning("broker_away", error=str(error), rest_seconds=REST_SECONDS)
            return None
        self._away_until = None
        return answer

    def _may_ask(self) -> bool:
        """Of the threads that find it away only the first one after each rest tries again."""
        if self._away_until is None:
            return True
        with self._lock:
            now = self._clock()
            if self._away_until is not None and now < self._away_until:
                return False
            self._away_until = now + REST_SECONDS
            return True


@lru_cache(maxsize=1)
def broker() -> Broker:
    """The broker of the settings."""
    return Broker(client(settings.REDIS_URL) if settings.REDIS_URL else None)


def client(url: str) -> Redis:
    """A client that gives up at once: no second try, no long wait."""
    return Redis.from_url(
        url,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
