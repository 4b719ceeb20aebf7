"""Servers that mean harm: each call ends in time, takes little memory, and is never taken for a success."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from integrations.http import CallFailed, OutboundRequest, send
from tests.integrations.servers import Script, Server, answer, certificate, echo, raw
from tests.integrations.test_http_hostile import HOSTILE
from tests.proofs.calling import Caller, caller
from tests.proofs.proof import Proof

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LATE_SECONDS = 0.5
GROWTH_KIB = 20 * 1024

OUTCOMES = {"timed_out", "answer_too_large", "bad_answer", "tls_failed", "could_not_connect"}


class Resetting(Server):
    """Breaks off in the middle of an answer, as a machine does that is switched off."""

    def _serve(self, connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"a" * 5000)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()


class Deaf(Server):
    """Reads nothing."""

    def _serve(self, connection: socket.socket) -> None:
        self._stopping.wait(60)
        connection.close()


class SlowHandshake(Server):
    """Begins a TLS record and sends it byte by byte."""

    def _serve(self, connection: socket.socket) -> None:
        connection.sendall(b"\x16\x03\x03\x3f\xff")
        while not self._stopping.wait(0.02):
            try:
                connection.sendall(b"\x02")
            except OSError:
                break
        connection.close()


class NoTLS(Server):
    """Speaks HTTP where TLS is spoken."""

    def _serve(self, connection: socket.socket) -> None:
        connection.recv(65536)
        connection.sendall(OK)
        connection.close()


Made = tuple[Server, dict[str, Any]]


def of_scripts(script: Script) -> Callable[[Path], Made]:
    return lambda folder: (Server(script), {})


def with_certificate(host: str, days: int = 30) -> Callable[[Path], Made]:
    return lambda folder: (Server(echo, tls=certificate(folder, host, days=days)[0]), {"host": "good.test"})


SERVERS: dict[str, Callable[[Path], Made]] = {name: of_scripts(script) for name, (script, _) in HOSTILE.items()} | {
    "resets in the body": lambda folder: (Resetting(raw()), {}),
    "reads nothing": lambda folder: (Deaf(raw()), {"method": "POST", "kilobytes": 1024}),
    "drips its TLS handshake": lambda folder: (SlowHandshake(raw()), {"scheme": "https"}),
    "never shakes hands": lambda folder: (Deaf(raw()), {"scheme": "https"}),
    "speaks no TLS": lambda folder: (NoTLS(raw()), {"scheme": "https"}),
    "has a certificate for another name": with_certificate("other.test"),
    "has a certificate that expired": with_certificate("good.test", days=-1),
    "has a certificate of nobody's": with_certificate("good.test"),
}


@contextmanager
def started(make: Callable[[Path], Made], folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    server, wanted = make(folder)
    with server:
        yield server.url(host=wanted.pop("host", ""), scheme=wanted.pop("scheme", "")), wanted


def record(proof: Proof, told: dict[str, dict[str, Any]], deadline: float, before_kib: int) -> None:
    """Note the figures, and hold them to the bars."""
    successes = {name: one for name, one in told.items() if one["outcome"] not in OUTCOMES}
    longest = max(one["seconds"] for one in told.values()) - deadline
    growth = max(one["peak_kib"] for one in told.values()) - before_kib
    proof.count("hostile servers", len(told))
    for outcome, count in sorted(Counter(str(one["outcome"]) for one in told.values()).items()):
        proof.count(outcome, count)
    proof.count("reported as success", len(successes))
    proof.count("ms beyond the deadline at most", round(longest * 1000))
    proof.count("KiB of growth", growth)
    assert successes == {}
    if proof.full:
        assert longest <= LATE_SECONDS
        assert growth <= GROWTH_KIB


def warmed_up(calls: Caller) -> int:
    """The memory before: everything is loaded, and an answer of the largest size was read once."""
    with Server(answer(b"a" * 1024 * 1024)) as server:
        assert calls.call(server.url())["outcome"] == 200
    with Server(echo) as server:
        return int(calls.call(server.url(), method="POST", kilobytes=512)["peak_kib"])


def test_a_hostile_server_gains_nothing(proof: Proof, tmp_path: Path) -> None:
    deadline = 3.0 if proof.full else 0.3
    told = {}
    with caller() as calls:
        before = warmed_up(calls)
        for name, make in list(SERVERS.items())[:: proof.size(3, 1)]:
            with started(make, tmp_path) as (url, wanted):
                told[name] = calls.call(url, timeout_seconds=seconds(name, deadline), **wanted)
    record(proof, told, deadline, before)


def test_nor_does_one_that_begins_well(proof: Proof) -> None:
    """The same on a connection that was kept after an answer without fault."""
    deadline = 3.0 if proof.full else 0.3
    told = {}
    with caller() as calls:
        before = warmed_up(calls)
        for name, (script, _) in list(HOSTILE.items())[:: proof.size(4, 1)]:
            with Server(well_at_first(script), keeps=True) as server:
                assert calls.call(server.url("/first"), scope="shop")["outcome"] == 200
                told[name] = calls.call(server.url(), scope="shop", timeout_seconds=seconds(name, deadline))
    record(proof, told, deadline, before)


def well_at_first(script: Script) -> Script:
    """The connection stays open after the first answer, not after the second."""

    def both(request: bytes) -> Iterator[bytes | float]:
        if request.split(b" ")[1] == b"/first":
            yield OK
            return
        yield from script(request)
        raise ConnectionAbortedError

    return both


def seconds(name: str, deadline: float) -> float:
    """In the suite, only what waits for the deadline gets a short one: the others have company on the machine."""
    waits = name not in HOSTILE or HOSTILE[name][1] == "timed_out"
    return deadline if waits or deadline > 1 else 20.0


def test_many_at_once_end_in_time_too(proof: Proof) -> None:
    """As many calls as there are turns at a host, all to a server that drips."""
    deadline, count = (3.0, 24) if proof.full else (0.5, 6)
    ends: list[tuple[str, float]] = []

    def call(url: str) -> None:
        began = time.monotonic()
        with pytest.raises(CallFailed) as caught:
            send(OutboundRequest("GET", url, timeout_seconds=deadline))
        ends.append((caught.value.code, time.monotonic() - began))

    with Server(HOSTILE["drips a header"][0]) as server:
        threads = [threading.Thread(target=call, args=(server.url(),)) for _ in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    longest = max(took for _, took in ends) - deadline
    proof.count("calls at once", count)
    proof.count("ms beyond the deadline at most", round(longest * 1000))
    assert {code for code, _ in ends} == {"timed_out"}
    assert longest <= LATE_SECONDS or not proof.full


@pytest.fixture(autouse=True)
def _loopback(settings: Any) -> None:
    settings.OUTBOUND_ALLOWED_NETWORKS = ["127.0.0.0/8"]
