"""Connections that are kept for another call, and when that is safe.

In HTTP/1.1 only the order says which request an answer belongs to. So a connection is kept only behind an answer that
left no doubt where it ended (`framing`), for calls of the same scope alone (one entity's connection and login), which may
be sent twice. Before it is used again it rests: what a faulty service sends after its answer comes at once or soon, and a
single byte of it ends the connection. What comes later than that, just when the next request goes out, can't be told
from its answer; it is still an answer of the same service to the same login.
"""

from __future__ import annotations

import atexit
import os
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from integrations import sockets

REST_SECONDS = 0.5
IDLE_SECONDS = 10.0
"""Most services keep a connection for longer than that, or close it where we see it."""

AGE_SECONDS = 60.0
"""How long a connection may outlive what the name's look-up said."""

MOST_USES = 100
MOST_PER_KEY = 32
MOST_IN_ALL = 128


class Key(NamedTuple):
    """What calls have to share to share a connection."""

    scope: str
    scheme: str
    host: str
    port: int


class Connection(Protocol):
    """One of `transport`, as far as it matters here. Its times are of time.monotonic()."""

    sock: sockets.PlainSocket | sockets.TLSSocket | None
    made_at: float
    rests_since: float
    uses: int

    def close(self) -> None: ...


_lock = threading.Lock()
_kept: defaultdict[Key, list[Connection]] = defaultdict(list)


def give(key: Key, connection: Connection) -> None:
    """Keep a connection whose last answer was whole; it is closed instead where it was used enough, or there are too many."""
    connection.rests_since = time.monotonic()
    connection.uses += 1
    with _lock:
        over = _take_over()
        too_many = len(_kept.get(key, ())) >= MOST_PER_KEY or sum(map(len, _kept.values())) >= MOST_IN_ALL
        if too_many or connection.uses >= MOST_USES or connection.sock is None:
            over.append(connection)
        else:
            _kept[key].append(connection)
    _close(over)


def take(key: Key) -> Connection | None:
    """A connection that rested, is silent, and may still go where it goes; None if there is none. It is the caller's."""
    for connection in _rested(key):
        sock = connection.sock
        if sock is not None and sockets.is_silent(sock) and sockets.reached_allowed(sock, key.host):
            return connection
        connection.close()
    return None


def _rested(key: Key) -> Iterator[Connection]:
    """Those that may be tried, the most recent one first, each taken out."""
    while True:
        with _lock:
            over = _take_over()
            latest = time.monotonic() - REST_SECONDS
            found = next((one for one in reversed(_kept.get(key, ())) if one.rests_since <= latest), None)
            if found is not None:
                _kept[key].remove(found)
        _close(over)
        if found is None:
            return
        yield found


def _take_over() -> list[Connection]:
    """Take out what is past its time, of all keys."""
    now = time.monotonic()
    over: list[Connection] = []
    for key in list(_kept):
        over += [one for one in _kept[key] if _is_over(one, now)]
        _kept[key] = [one for one in _kept[key] if not _is_over(one, now)]
        if not _kept[key]:
            del _kept[key]
    return over


def _is_over(connection: Connection, now: float) -> bool:
    return now - connection.rests_since > IDLE_SECONDS or now - connection.made_at > AGE_SECONDS


def _close(connections: list[Connection]) -> None:
    for connection in connections:
        connection.close()


def forget() -> None:
    """Close them all. In a child process this closes its copies only, and tells the other end nothing."""
    global _lock
    _lock = threading.Lock()
    connections = [one for several in _kept.values() for one in several]
    _kept.clear()
    _close(connections)


os.register_at_fork(after_in_child=forget)
atexit.register(forget)
