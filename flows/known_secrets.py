"""The secrets that this process knows at the moment, for the log: those it opened, and those of the run it works on.

Nobody can tell where a secret will turn up: in an error of a library, a traceback, a header of an answer. So a log line
is cleaned as a whole, when it is written (chatflow/logs.py).
"""

from __future__ import annotations

import threading
from contextvars import ContextVar

from flows.masking import Mask, replaced
from flows.secret_names import mask_named_text

MIN_SECRET_CHARS = 6
"""A shorter one is likely to be a word that texts hold anyway; taking it out would spoil them and hide nothing."""

BATCH = 64
BATCHES = 16
"""Together the bound on what is remembered: the longest unused ones go first, sixty-four at a time."""

_run: ContextVar[Mask | None] = ContextVar("mask_of_run", default=None)


class _Known:
    """Secrets in batches, each with its mask: a new one costs the making of a small mask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._batches: list[set[str | bytes]] = []
        self.masks: tuple[Mask, ...] = ()

    def add(self, secret: str | bytes) -> None:
        if len(secret) < MIN_SECRET_CHARS or any(secret in batch for batch in self._batches):
            return
        with self._lock:
            if not self._batches or len(self._batches[-1]) >= BATCH:
                self._batches = [*self._batches[1 - BATCHES :], set()]
                self.masks = (*self.masks[1 - BATCHES :], Mask(()))
            self._batches[-1].add(secret)
            self.masks = (*self.masks[:-1], Mask(self._batches[-1]))


_known = _Known()


def remember(*secrets: str | bytes) -> None:
    """From now on no log line of this process shows these."""
    for secret in secrets:
        _known.add(secret)


def bind(mask: Mask | None) -> None:
    """From now on no log line of this thread shows what the mask knows, the sensitive values of a run; None ends that.

    It outlasts the run: what goes wrong after it, on the way to its caller, is logged by whoever catches it there.
    """
    _run.set(mask)


def cleaned(text: str) -> str:
    """A text as it may be logged: without known secrets in any form, named ones, and tokens of ours."""
    return mask_named_text(without_values(text))


def without_values(text: str) -> str:
    """A text without known secrets in any form."""
    mask_of_run = _run.get()
    return replaced(text, [*_known.masks, mask_of_run] if mask_of_run else _known.masks, parts=True)
