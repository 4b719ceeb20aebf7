"""An orderly stop: a worker that is asked to end takes no more runs, and puts down those it has at their next step."""

from __future__ import annotations

import threading

_asked = threading.Event()


def ask() -> None:
    """From now on nothing is begun here. Called by whoever hears the signal."""
    _asked.set()


def is_asked() -> bool:
    return _asked.is_set()


def forget() -> None:
    """For tests: this process goes on after all."""
    _asked.clear()
