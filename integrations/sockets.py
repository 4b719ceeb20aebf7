"""Sockets that connect to vetted addresses only, and can't outlast a call's deadline or its byte limits.

A name is resolved once, every address of the answer is judged, and the socket connects to the judged address itself. So
neither a second look-up nor another reading of the URL can lead elsewhere; TLS still verifies the host's name.

The deadline is kept by the sockets: each read and write gets the time that is left, so a target that drips bytes gains
none. (A watchdog that closed the socket instead would look to `http.client` like the end of the headers.)
"""

from __future__ import annotations

import logging
import os
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from typing import Any, TypeVar

from integrations.addresses import is_our_own, may_connect
from integrations.outbound import CallFailed, FailureCode, Limits

LOOKUP_SECONDS = 3.0
CONNECT_SECONDS = 3.05
"""Per address; a little over 3, so that one lost SYN is sent again."""

MAX_ADDRESSES_TRIED = 4
MAX_LOOKUPS_AT_ONCE = 32
"""A thread can't be taken back from a resolver that hangs; this is how many it may hold."""

READ_AHEAD_BYTES = 8 * 1024
"""What the reader of the headers may have taken of the body."""

Found = list[tuple[int, Any]]
"""Addresses as (family, socket address)."""

Sent = TypeVar("Sent")
log = logging.getLogger(__name__)
_lookups = threading.BoundedSemaphore(MAX_LOOKUPS_AT_ONCE)
_under_way: dict[tuple[str, int], Future[Found]] = {}


@dataclass(slots=True)
class Attempt:
    """The call that a thread is making: what its sockets obey, and what they report."""

    host: str
    deadline: float  # of time.monotonic()
    limits: Limits
    scope: str = field(default="", repr=False)
    may_share: bool = False  # a connection that was used before will do, and this one may be kept
    reused: bool = False  # such a connection was taken
    sent: bool = False  # the target may have got something
    cut_short: bool = False  # but not all of it
    begun: bool = False  # sending, on this connection
    heard: bytearray = field(default_factory=bytearray, repr=False)  # everything that came, as it came
    in_head: bool = True  # the headers of the answer aren't complete yet
    returned: Any = None  # by urllib3, once the answer is read: (key, connection), to be kept or closed

    def left_seconds(self) -> float:
        """The time that is left. Raises CallFailed if there is none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise self.out_of_time()
        return left

    def failed(self, code: FailureCode, message: str, hint: str = "") -> CallFailed:
        """A failure of this attempt."""
        return CallFailed(message, code=code, sent=self.sent, hint=hint)

    def out_of_time(self) -> CallFailed:
        """The failure of a call whose deadline is over."""
        return self.failed(
            "timed_out",
            f"{self.host} didn't answer in time.",
            "Try again later, or give the endpoint a longer time-out.",
        )

    def hear(self, piece: memoryview) -> None:
        """Note what a read returned. Raises CallFailed if it was too much, or the end where there can't be one."""
        if self.in_head and not piece:
            raise self.failed("bad_answer", f"{self.host} closed the connection before its answer was complete.")
        self.heard += piece
        most = self.limits.head_bytes + READ_AHEAD_BYTES if self.in_head else self.limits.wire_bytes
        if len(self.heard) > most:
            raise self.failed("answer_too_large", f"The answer of {self.host} is too large.", "Ask for less data.")


current: ContextVar[Attempt] = ContextVar("attempt")


class PlainSocket(socket.socket):
    """A socket that obeys the current attempt. `http.client` reads by `recv_into` and writes by `sendall` alone."""

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        return _receive(self, buffer, partial(super().recv_into, buffer, nbytes, flags))

    def sendall(self, data: Any, flags: int = 0) -> None:
        attempt = current.get()
        if not attempt.begun and not is_silent(self):  # who speaks first doesn't speak HTTP
            raise attempt.failed("bad_answer", f"{attempt.host} spoke before it was asked.")
        _send(self, partial(super().sendall, data, flags))


class TLSSocket(ssl.SSLSocket):
    """The same over TLS."""

    def do_handshake(self, block: bool = False) -> None:
        attempt = current.get()
        try:
            self.settimeout(attempt.left_seconds())
            super().do_handshake(block)
        except (CallFailed, TimeoutError):
            self.close()  # SSLSocket does so after an OSError only
            raise attempt.out_of_time() from None

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        return _receive(self, buffer, partial(super().recv_into, buffer, nbytes, flags))

    def send(self, data: Any, flags: int = 0) -> int:
        return _send(self, partial(super().send, data, flags))


def _receive(sock: socket.socket, buffer: Any, read: Callable[[], int]) -> int:
    attempt = current.get()
    sock.settimeout(attempt.left_seconds())
    try:
        size = read()
    except TimeoutError:
        raise attempt.out_of_time() from None
    attempt.hear(memoryview(buffer)[:size])
    return size


def _send(sock: socket.socket, write: Callable[[], Sent]) -> Sent:
    attempt = current.get()
    sock.settimeout(attempt.left_seconds())
    attempt.sent = attempt.begun = True
    try:
        return write()
    except TimeoutError:
        raise attempt.out_of_time() from None
    except OSError:
        attempt.cut_short = True
        raise


def is_silent(sock: socket.socket) -> bool:
    """Whether nothing came: no byte, and no end either."""
    if isinstance(sock, ssl.SSLSocket) and sock.pending():
        return False
    waiting = select.poll()
    waiting.register(sock, select.POLLIN | select.POLLPRI)
    return not waiting.poll(0)


def connect(host: str, port: int) -> socket.socket:
    """A socket to a vetted address of that host. Raises CallFailed; an address that isn't allowed spoils them all."""
    attempt = current.get()
    found = _look_up(attempt, host, port)
    attempt.left_seconds()
    to_ourselves = is_our_own(host)
    refused = [address for family, address in found if not _is_allowed(family, address, port, to_ourselves)]
    if refused or not found:
        log.info("No call to %s port %s: it leads to %s.", host, port, refused[0][0] if refused else "no address")
        raise _not_allowed(attempt)
    for family, address in found[:MAX_ADDRESSES_TRIED]:
        sock = PlainSocket(family, socket.SOCK_STREAM)
        try:
            _join(sock, address, host)
        except OSError:
            sock.close()
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    attempt.left_seconds()
    hint = "See whether the service is up, and try again later."
    raise attempt.failed("could_not_connect", f"No connection to {host} came about.", hint)


def _join(sock: socket.socket, address: Any, host: str) -> None:
    attempt = current.get()
    sock.settimeout(min(CONNECT_SECONDS, attempt.left_seconds()))
    sock.connect(address)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not reached_allowed(sock, host):
        raise _not_allowed(attempt)


def reached_allowed(sock: socket.socket, host: str) -> bool:
    """Whether the other end of a connected socket is an address that may be called."""
    try:
        peer = sock.getpeername()
    except OSError:
        return False
    return _is_allowed(sock.family, peer, peer[1], is_our_own(host))


def resolve(host: str, port: int) -> Found:
    """Every address of a host."""
    return [(found[0], found[4]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _look_up(attempt: Attempt, host: str, port: int) -> Found:
    """`resolve`, in bounded time; empty if nothing came of it."""
    if _is_literal(host):
        return _resolved(host, port)
    until = time.monotonic() + min(LOOKUP_SECONDS, attempt.left_seconds())
    lookup = _under_way.get((host, port)) or _begin_lookup(host, port, until)
    try:
        return lookup.result(until - time.monotonic()) if lookup else []
    except TimeoutError:
        return []


def _begin_lookup(host: str, port: int, until: float) -> Future[Found] | None:
    """A look-up in a thread, which all who ask for the same name meanwhile wait for: one name may hang one thread only."""
    places = _lookups
    if not places.acquire(timeout=max(0.0, until - time.monotonic())):
        return None
    mine: Future[Found] = Future()
    lookup = _under_way.setdefault((host, port), mine)
    if lookup is not mine:
        places.release()
        return lookup

    def work() -> None:
        found: Found = []
        try:
            found = _resolved(host, port)
        finally:
            _under_way.pop((host, port), None)
            places.release()
            mine.set_result(found)

    threading.Thread(target=work, name="lookup", daemon=True).start()
    return mine


def _resolved(host: str, port: int) -> Found:
    try:
        return resolve(host, port)
    except (OSError, UnicodeError):  # UnicodeError: a label that no DNS name can have
        return []


def _is_literal(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_allowed(family: int, address: Any, port: int, to_ourselves: bool) -> bool:
    if family == socket.AF_INET6 and address[3]:  # a scope id
        return False
    return family in (socket.AF_INET, socket.AF_INET6) and may_connect(address[0], port, to_ourselves=to_ourselves)


def _not_allowed(attempt: Attempt) -> CallFailed:
    """One failure for names that aren't found and for those that lead inwards: else one could list our network's names."""
    return attempt.failed(
        "target_not_allowed",
        f"{attempt.host} is not a target that may be called, or isn't found.",
        "See whether the address of the connection is spelled right. Public addresses may be called, on ports 443, 8443"
        " and 80. For others, ask the operator to add their network to OUTBOUND_ALLOWED_NETWORKS.",
    )


def forget() -> None:
    """For a child process: look-ups under way are its parent's."""
    global _lookups
    _lookups = threading.BoundedSemaphore(MAX_LOOKUPS_AT_ONCE)
    _under_way.clear()


os.register_at_fork(after_in_child=forget)
