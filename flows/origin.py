"""Where a change comes from, and who makes it: for records that are made far from the request (flows/changes.py).

Outside of a request it is a command, or another process of ours, that somebody with an account on the machine started.
"""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TypeVar

from django.contrib.auth.models import User

T = TypeVar("T")


def os_user() -> str:
    """The account of the operating system that this process runs under."""
    try:
        return getpass.getuser()[:64]
    except (KeyError, OSError):
        return f"uid {os.getuid()}"  # a container may run as a user without a name


def _nobody() -> User | None:
    return None


@dataclass(frozen=True, slots=True)
class Origin:
    """Both are asked only when something is recorded: most requests change nothing."""

    place: Callable[[], str] = lambda: f"command by {os_user()}"
    person: Callable[[], User | None] = _nobody


_origin: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 - it is frozen


def place() -> str:
    """An address, or a command and its OS user."""
    return _origin.get().place()


def person() -> User | None:
    """Who acts, where that is known here; None for a command that nobody put a name to."""
    return _origin.get().person()


@contextmanager
def coming_from(place: Callable[[], str], person: Callable[[], User | None] = _nobody) -> Iterator[None]:
    """What happens meanwhile comes from there."""
    token = _origin.set(Origin(place, person))
    try:
        yield
    finally:
        _origin.reset(token)


@contextmanager
def acting(user: User) -> Iterator[None]:
    """What happens meanwhile is done by `user`, from where it came before."""
    token = _origin.set(replace(_origin.get(), person=lambda: user))
    try:
        yield
    finally:
        _origin.reset(token)


def carried(work: Callable[[], T]) -> Callable[[], T]:
    """The same work, for another thread to do as if it came from here."""
    here = _origin.get()

    def done_there() -> T:
        token = _origin.set(here)
        try:
            return work()
        finally:
            _origin.reset(token)

    return done_there
