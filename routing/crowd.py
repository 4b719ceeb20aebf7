"""How many calls are worked on at once, so that a crowd of slow ones never takes the threads of all the others.

A call holds a place from before its body is read until its answer is made: the web server reads a body in the thread
that answers, and can't bound how long that takes. Each process has so many places, of which one route may have some,
and all synchronous calls some more. Who finds none waits for a moment, if not too many wait already; else 503 `busy`.
The threads that are left say so, refuse whom the door refuses, and serve the admin.

A route's own number (`Route.concurrency`) is a rule of its owner: it holds for all web processes together, counted in
the broker, and over it nobody waits. While the broker is away each process counts for itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from threading import Event, Lock

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from routing.models import Route
from routing.problem import Problem, response
from routing.shared_calls import busy, counted

THREADS = 192
"""What granian has to be given as --blocking-threads. It starts them when they are needed."""

PLACES = 144
"""Calls at once in a process. The other threads are for who waits, who is refused, and the admin."""

SYNC_PLACES = 96
"""Of these for calls whose run is waited for: asynchronous ones are accepted however slow the others are."""

ROUTE_PLACES = 64
"""Of these for one route without a number of its own: two partners that stall leave room for a third."""

WAITING = 32
WAIT_SECONDS = 1.0

ELSEWHERE = 8
"""Requests with a body at once that aren't calls of a route: staff who log in or save. No token stands before those."""

MAX_ELSEWHERE_BYTES = 4 * 1024 * 1024
"""A flow file or a setup is at most 1 MiB; without a limit Django would keep an upload of any size on disk."""


@dataclass(eq=False)
class _Call:
    """One who asks for a place. `admitted` is set by whoever gives it one."""

    route: str
    is_sync: bool
    at_most: int
    admitted: Event = field(default_factory=Event)


class Crowd:
    """The places of one process. First come, first served, among those for whom there is one."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._calls = self._sync_calls = 0
        self._of_route: Counter[str] = Counter()
        self._waiting: list[_Call] = []

    @contextmanager
    def place(self, route: str, *, is_sync: bool, at_most: int = ROUTE_PLACES, wait: bool = True) -> Iterator[None]:
        """Hold a place; `at_most` so many calls of this route do. 503 where there is none, after a moment's wait."""
        call = _Call(route, is_sync, at_most)
        self._enter(call, wait)
        try:
            yield
        finally:
            self._leave(call)

    def _enter(self, call: _Call, wait: bool) -> None:
        with self._lock:
            if self._take(call):
                return
            if not wait or len(self._waiting) >= WAITING:
                raise busy()
            self._waiting.append(call)
        if call.admitted.wait(WAIT_SECONDS):
            return
        with self._lock:
            if call.admitted.is_set():
                return
            self._waiting.remove(call)
        raise busy()

    def _take(self, call: _Call) -> bool:
        if self._calls >= PLACES or self._of_route[call.route] >= call.at_most:
            return False
        if call.is_sync and self._sync_calls >= SYNC_PLACES:
            return False
        self._calls += 1
        self._sync_calls += call.is_sync
        self._of_route[call.route] += 1
        return True

    def _leave(self, call: _Call) -> None:
        with self._lock:
            self._calls -= 1
            self._sync_calls -= call.is_sync
            self._of_route[call.route] -= 1
            if not self._of_route[call.route]:
                del self._of_route[call.route]
            for waiting in self._waiting:
                if self._take(waiting):
                    self._waiting.remove(waiting)
                    waiting.admitted.set()
                    return


@contextmanager
def place(route: Route) -> Iterator[None]:
    """Hold a place for one call of `route`. 503 `busy` with Retry-After where there is none."""
    if route.concurrency is None:
        with crowd().place(route.pk, is_sync=not route.is_async):
            yield
        return
    own = crowd().place(route.pk, is_sync=not route.is_async, at_most=route.concurrency, wait=False)
    with own, counted(route.pk, route.concurrency, route.deadline_seconds):
        yield


@lru_cache(maxsize=1)
def crowd() -> Crowd:
    """The crowd of this process."""
    return Crowd()


class BodiesElsewhere:
    """Middleware: bodies that are sent to other addresses than routes, few at once and none too large."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self._places = Crowd()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        length = request.META.get("CONTENT_LENGTH") or "0"
        has_body = length != "0" or "HTTP_TRANSFER_ENCODING" in request.META
        if not has_body or request.path_info.startswith("/dynamic/"):
            return self.get_response(request)
        if not (length.isascii() and length.isdigit() and len(length) < 10 and int(length) <= MAX_ELSEWHERE_BYTES):
            return response(Problem("too_large", f"Chatflow takes at most {MAX_ELSEWHERE_BYTES:,} bytes here."))
        try:
            with self._places.place("", is_sync=False, at_most=ELSEWHERE, wait=False):
                return self.get_response(request)
        except Problem as problem:
            return response(problem)
