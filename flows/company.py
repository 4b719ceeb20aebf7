"""A run that lost its process more than once works alone in the next: it may have ended them, and those beside it too.

Otherwise a run that kills every process which takes it would take its neighbours along, until they count as dead as well.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

SUSPECT_AFTER = 2
"""Claims without a checkpoint after which a run isn't trusted beside others: one may be bad luck."""

QUIET_SECONDS = 10.0
"""How long others are given to end, and nobody begins, before a suspect runs beside them after all."""

HELD_UP_SECONDS = 30.0
"""How long a suspect that runs may hold up those that come after it."""


class Company:
    """Who works in this process: any number together, or one alone. Both only wait for so long."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._together = self._alone = self._coming = 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """Work beside others."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._alone or self._coming), HELD_UP_SECONDS)
            self._together += 1
        try:
            yield
        finally:
            with self._changed:
                self._together -= 1
                self._changed.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Work while nobody else does."""
        with self._changed:
            self._coming += 1
            try:
                self._changed.wait_for(lambda: not (self._together or self._alone), QUIET_SECONDS)
            finally:
                self._coming -= 1
            self._alone += 1
        try:
            yield
        finally:
            with self._changed:
                self._alone -= 1
                self._changed.notify_all()


company = Company()
"""That of this process."""
