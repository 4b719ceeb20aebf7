"""Work on runs in processes that die at a numbered point: `python -m tests.chaos.crashing FIRST STRIDE RUN...`.

Points are before every statement to the database, before and after every COMMIT, before and after every outside call.
The first run's process dies at point FIRST, the next one's STRIDE further, and so on until one gets through alive.
Prints [[run, point, whether it died], ...] as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

import django

from tests.chaos.worker import hurry


class Fuse:
    """Counts the points that this process passes, in whichever thread, and ends it at the last."""

    def __init__(self, last: int) -> None:
        self.left = last
        self._lock = threading.Lock()

    def pass_point(self) -> None:
        with self._lock:
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any], *, after: bool = True) -> Callable[..., Any]:
        def watched(*args: Any, **kwargs: Any) -> Any:
            self.pass_point()
            result = function(*args, **kwargs)
            if after:
                self.pass_point()
            return result

        return watched


def arm(fuse: Fuse) -> None:
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.backends.utils import CursorWrapper

    from integrations.door import RealDoor

    CursorWrapper.execute = fuse.around(CursorWrapper.execute, after=False)  # type: ignore[method-assign]
    BaseDatabaseWrapper._commit = fuse.around(BaseDatabaseWrapper._commit)  # type: ignore[attr-defined]
    RealDoor.call = fuse.around(RealDoor.call)  # type: ignore[method-assign]


def dies(run_id: str, point: int) -> bool:
    """Work on the run in a process of its own that ends at that point; whether it came so far."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            from flows.runs import resume

            arm(Fuse(point))
            resume(UUID(run_id))
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, f"Working on {run_id} failed; see above."
    return os.WIFSIGNALED(status)


def main(first: int, stride: int, run_ids: list[str]) -> list[tuple[str, int, bool]]:
    done = []
    for number, run_id in enumerate(run_ids):
        point = first + number * stride
        done.append((run_id, point, dies(run_id, point)))
        if not done[-1][2]:
            break
    return done


if __name__ == "__main__":
    django.setup()
    hurry()
    print(json.dumps(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])))
