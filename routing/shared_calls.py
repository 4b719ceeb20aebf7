"""The calls of one route that all web processes together work on, counted in the broker.

Each is a member with an end of its own, since a process that was killed takes nothing back. What a frozen broker was told
it does later, when nobody waits for it any more: that is taken back with the next call that it answers.
"""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from routing.broker import broker
from routing.problem import Problem

LEASE_SECONDS = 15
"""How much longer than its route's deadline a call is counted at most."""

RETRY_SECONDS = 2

_ENTER = """
for i = 4, #ARGV do redis.call('ZREM', KEYS[1], ARGV[i]) end
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[2] + 1)
return 1
"""

_left: dict[str, deque[str]] = {}
"""Members that the broker may hold though their calls are over, by its name of the route."""


@contextmanager
def counted(route: str, at_most: int, deadline_seconds: int) -> Iterator[None]:
    """Count one call. 503 `busy` where `at_most` are counted; while the broker is away everybody passes."""
    name, member = f"chatflow:calls:{route}", uuid.uuid4().hex
    left = _left.pop(name, deque())
    asked: list[str | int] = [at_most, deadline_seconds + LEASE_SECONDS, member, *left]
    entered = broker().ask(lambda client: bool(client.eval(_ENTER, 1, name, *asked)))
    if entered is None:
        _leave(name, *left)
    if entered is False:
        raise busy(f"This route works on {at_most} at once.")
    try:
        yield
    finally:
        gone = broker().ask(lambda client: int(client.zrem(name, member))) if entered else None
        if gone is None:
            _leave(name, member)


def busy(detail: str = "") -> Problem:
    """The refusal of who finds no place."""
    return Problem("busy", detail, headers={"Retry-After": str(RETRY_SECONDS)})


def _leave(name: str, *members: str) -> None:
    _left.setdefault(name, deque(maxlen=200)).extend(members)
