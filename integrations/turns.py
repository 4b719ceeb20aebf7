"""At most so many calls at once to one host, and for one login there, so that a slow service can't take every thread.

Per process. Whoever comes later waits for a turn, but not so long that nothing of the time-out is left for the call.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from integrations.sockets import Attempt

CALLS_PER_HOST = 32
CALLS_PER_SCOPE = 24
"""One entity's login leaves some of a host's turns to others."""

MOST_OF_THE_TIME = 0.5
"""What part of a call's time it waits at most: one sent at the last moment would time out with nobody knowing what became of it."""

Place = tuple[str, ...]

_free = threading.Condition()
_busy: Counter[Place] = Counter()


@contextmanager
def turn(attempt: Attempt, host: str, scope: str) -> Iterator[None]:
    """Hold a turn for a call to `host`, its port included. Raises CallFailed (`host_busy`) if none became free in time."""
    places = {(host,): CALLS_PER_HOST, (host, scope): CALLS_PER_SCOPE}
    with _free:
        if not _free.wait_for(lambda: all(_busy[place] < most for place, most in places.items()), _patience(attempt)):
            raise attempt.failed(
                "host_busy",
                f"Too many calls to {attempt.host} are under way.",
                "It seems to answer slowly. Try again later, or call it less often.",
            )
        _busy.update(places.keys())
    try:
        yield
    finally:
        with _free:
            for place in places:
                _busy[place] -= 1
                if not _busy[place]:
                    del _busy[place]
            _free.notify_all()


def _patience(attempt: Attempt) -> float:
    return max(0.0, attempt.deadline - time.monotonic()) * MOST_OF_THE_TIME


def forget() -> None:
    """For a child process: the calls under way are its parent's."""
    global _free
    _free = threading.Condition()
    _busy.clear()


os.register_at_fork(after_in_child=forget)
