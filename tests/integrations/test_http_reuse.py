"""Connections that are used again: by whom, when, and that no byte of one call reaches another scope."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integrations import kept, transport
from integrations.http import CallFailed, OutboundRequest, send
from tests.integrations.doors import Names, Serve
from tests.integrations.servers import Script, answer, certificate, echo, raw

pytestmark = pytest.mark.pure

OK = b"HTTP/1.1 200 OK\r\n"
TRUE, FALSE = OK + b"Content-Length: 4\r\n\r\ntrue", OK + b"Content-Length: 5\r\n\r\nfalse"


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test begins with nothing kept, and connections rest as long as it says."""
    monkeypatch.setattr(kept, "REST_SECONDS", 0.0)
    yield
    kept.forget()


def shared(url: str, scope: str = "shop", **fields: Any) -> OutboundRequest:
    return OutboundRequest("GET", url, scope=scope, repeatable=True, **fields)


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.005)


def kept_count() -> int:
    return sum(map(len, kept._kept.values()))


def first_then(first: Iterable[bytes | float], then: Script | None = None) -> Script:
    """One script for /first, another for what comes after."""
    other = then or answer(b"mine")
    return lambda request: first if request.split(b" ")[1] == b"/first" else other(request)


# --- Who shares ---------------------------------------------------------------------------------------------------------


def test_calls_of_a_scope_share_a_connection(serve: Serve) -> None:
    server = serve(echo, keeps=True)
    bodies = [send(shared(server.url(f"/{number}"))).body for number in range(5)]
    assert server.connections == 1
    assert [body.split(b" ")[1] for body in bodies] == [f"/{number}".encode() for number in range(5)]
    assert not any(b"Connection: close" in body for body in bodies)


@pytest.mark.parametrize("changed", [{"scope": "other"}, {"scope": ""}, {"repeatable": False}])
def test_others_have_a_connection_of_their_own(serve: Serve, changed: dict[str, Any]) -> None:
    server = serve(echo, keeps=True)
    send(shared(server.url()))
    request = replace(shared(server.url()), **changed)
    assert (b"Connection: close" in send(request).body) == (not request.may_share)
    assert server.connections == 2


def test_another_name_or_port_has_a_connection_of_its_own(serve: Serve, names: Names) -> None:
    names["one.test"] = names["two.test"] = ["127.0.0.1"]
    server, other = serve(echo, keeps=True), serve(echo, keeps=True)
    for url in (server.url(host="one.test"), server.url(host="two.test"), other.url(host="one.test")):
        send(shared(url))
    assert (server.connections, other.connections) == (2, 1)


def test_calls_at_once_never_share(serve: Serve) -> None:
    server = serve(lambda request: [0.002, *echo(request)], keeps=True)
    bodies: list[bytes] = []

    def work(number: int) -> None:
        for turn in range(10):
            bodies.append(send(shared(server.url(f"/{number}/{turn}"))).body.split(b" ")[1])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(bodies) == sorted(f"/{number}/{turn}".encode() for number in range(8) for turn in range(10))
    assert server.connections < 80


def test_connections_are_shared_over_tls_too(
    serve: Serve, names: Names, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context, file = certificate(tmp_path, "good.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    names["good.test"] = ["127.0.0.1"]
    transport.forget()
    server = serve(echo, keeps=True, tls=context)
    try:
        assert [send(shared(server.url(host="good.test"))).status for _ in range(3)] == [200] * 3
    finally:
        transport.forget()
    assert server.connections == 1


def test_bytes_that_tls_holds_ready_end_the_connection(
    serve: Serve, names: Names, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    context, file = certificate(tmp_path, "good.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    names["good.test"] = ["127.0.0.1"]
    transport.forget()
    large = (
        OK + b"Content-Length: 9000\r\n\r\n" + b"a" * 9000
    )  # more than is read ahead, in one record with what follows
    server = serve(first_then([large + FALSE]), keeps=True, tls=context)
    try:
        with contextlib.suppress(CallFailed):
            send(shared(server.url("/first", host="good.test")))
        assert send(shared(server.url(host="good.test"))).body == b"mine"
    finally:
        transport.forget()
    assert isinstance(context, ssl.SSLContext)
    assert server.connections == 2


# --- What ends a connection -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
@pytest.mark.parametrize(
    "first",
    [
        TRUE + FALSE,
        TRUE + b"\r\n",
        OK + b"Content-Length: 0\r\n\r\n" + FALSE,
        OK + b"Transfer-Encoding: chunked\r\n\r\n4\r\ntrue\r\n0\r\n\r\n" + FALSE,
        b"HTTP/1.1 204 No Content\r\n\r\n" + FALSE,
        b"HTTP/1.1 304 Not Modified\r\n\r\n" + FALSE,
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        OK + b"Connection: close\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_a_connection_with_a_doubt_is_not_used_again(serve: Serve, method: str, first: bytes) -> None:
    server = serve(first_then([first]), keeps=True)
    with contextlib.suppress(CallFailed):
        send(OutboundRequest(method, server.url("/first"), scope="shop", repeatable=True))
    assert [send(shared(server.url("/second"))).body for _ in range(2)] == [b"mine"] * 2
    assert server.connections == 2


@pytest.mark.parametrize("late", [b"\r\n", b"H", FALSE, FALSE * 100])
def test_late_bytes_end_a_connection_that_rests(serve: Serve, late: bytes) -> None:
    pushed = threading.Event()

    def push(request: bytes) -> Iterator[bytes | float]:
        yield TRUE
        wait_until(lambda: kept_count() == 1)
        yield late
        pushed.set()

    server = serve(first_then(push(b"")), keeps=True)
    assert send(shared(server.url("/first"))).body == b"true"
    assert pushed.wait(10)
    assert [send(shared(server.url("/second"))).body for _ in range(2)] == [b"mine"] * 2
    assert server.connections == 2


def test_a_connection_rests_before_it_is_used_again(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "REST_SECONDS", 60.0)
    server = serve(first_then([TRUE, 0.05, FALSE]), keeps=True)
    send(shared(server.url("/first")))
    assert [send(shared(server.url("/second"))).body for _ in range(2)] == [b"mine"] * 2
    assert server.connections == 3


def test_a_second_answer_never_reaches_another_scope(serve: Serve) -> None:
    def poison(request: bytes) -> Iterator[bytes | float]:
        yield TRUE
        while True:
            yield FALSE
            yield 0.001

    server = serve(first_then(poison(b"")), keeps=True)
    for scope in ("one", "two", "", "one-more"):
        with contextlib.suppress(CallFailed):
            send(shared(server.url("/first"), "shop"))
        assert send(shared(server.url("/second"), scope)).body == b"mine"


@pytest.mark.parametrize(
    ("limit", "value"),
    [("IDLE_SECONDS", -1.0), ("AGE_SECONDS", -1.0), ("MOST_USES", 1), ("MOST_PER_KEY", 0), ("MOST_IN_ALL", 0)],
)
def test_connections_end_by_age_and_number(
    serve: Serve, monkeypatch: pytest.MonkeyPatch, limit: str, value: float
) -> None:
    server = serve(echo, keeps=True)
    monkeypatch.setattr(kept, limit, value)
    for _ in range(3):
        send(shared(server.url()))
    assert server.connections == 3


def test_a_changed_policy_ends_kept_connections(serve: Serve, settings: Any) -> None:
    server = serve(echo, keeps=True)
    send(shared(server.url()))
    settings.OUTBOUND_ALLOWED_NETWORKS = []
    with pytest.raises(CallFailed) as caught:
        send(shared(server.url()))
    assert (caught.value.code, len(server.requests), kept_count()) == ("target_not_allowed", 1, 0)


def test_the_deadline_holds_on_a_connection_that_is_used_again(serve: Serve) -> None:
    server = serve(first_then([TRUE], raw(30.0)), keeps=True)
    send(shared(server.url("/first")))
    with pytest.raises(CallFailed) as caught:
        send(shared(server.url("/second"), timeout_seconds=0.3))
    assert (caught.value.code, caught.value.sent, server.connections) == ("timed_out", True, 1)
    assert kept_count() == 0


# --- A connection that turns out to be closed ---------------------------------------------------------------------------------


def test_one_that_was_closed_meanwhile_is_replaced(serve: Serve) -> None:
    server = serve(echo)  # closes after each answer, without having said so
    for _ in range(3):
        assert send(shared(server.url())).status == 200
        wait_until(lambda: not server._open)
    assert (server.connections, len(server.requests)) == (3, 3)


def test_one_that_closes_at_the_moment_of_sending_is_replaced_once(serve: Serve) -> None:
    answered: list[bytes] = []

    def once_per_connection(request: bytes) -> Iterator[bytes | float]:
        answered.append(request)
        if len(answered) != 2:
            yield TRUE
        else:
            server.drop_connections()

    server = serve(once_per_connection, keeps=True)
    assert [send(shared(server.url(f"/{number}"))).body for number in range(2)] == [b"true"] * 2
    assert [request.split(b" ")[1] for request in answered] == [b"/0", b"/1", b"/1"]


def test_a_replacement_that_closes_too_is_a_failure_that_was_sent(serve: Serve) -> None:
    requests: list[bytes] = []

    def never_again(request: bytes) -> Iterator[bytes | float]:
        requests.append(request)
        if len(requests) == 1:
            yield TRUE
        else:
            server.drop_connections()

    server = serve(never_again, keeps=True)
    send(shared(server.url()))
    with pytest.raises(CallFailed) as caught:
        send(shared(server.url()))
    assert (caught.value.code, caught.value.sent, len(requests)) == ("bad_answer", True, 3)


def test_one_that_had_begun_to_answer_is_not_sent_again(serve: Serve) -> None:
    def cut(request: bytes) -> Iterator[bytes | float]:
        yield OK
        server.drop_connections()

    server = serve(first_then([TRUE], cut), keeps=True)
    send(shared(server.url("/first")))
    with pytest.raises(CallFailed) as caught:
        send(shared(server.url("/second")))
    assert (caught.value.code, len(server.requests)) == ("bad_answer", 2)


def test_a_call_that_may_not_be_repeated_is_never_sent_twice(serve: Serve) -> None:
    def closes(request: bytes) -> Iterator[bytes | float]:
        raise ConnectionAbortedError
        yield

    server = serve(first_then([TRUE], closes), keeps=True)
    send(shared(server.url("/first")))
    with pytest.raises(CallFailed):
        send(OutboundRequest("POST", server.url("/second"), body=b"x", scope="shop"))
    assert [request.split(b" ")[0] for request in server.requests] == [b"GET", b"POST"]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_process_inherits_no_connection(serve: Serve) -> None:
    server = serve(echo, keeps=True)
    send(shared(server.url()))
    connection = next(iter(kept._kept.values()))[0]
    reader, writer = os.pipe()
    child = os.fork()
    if not child:  # pragma: no cover
        os.write(writer, b"%d %r" % (kept_count(), connection.sock is None))
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(reader, 20)
    os.close(reader)
    os.close(writer)
    assert told == b"0 True"
    assert send(shared(server.url())).status == 200
    assert server.connections == 1


def test_a_half_closed_connection_is_not_used_again(serve: Serve) -> None:
    closing: list[socket.socket] = []

    def half(request: bytes) -> Iterator[bytes | float]:
        yield TRUE
        for connection in server._open:
            connection.shutdown(socket.SHUT_WR)
            closing.append(connection)

    server = serve(first_then(half(b"")), keeps=True)
    send(shared(server.url("/first")))
    wait_until(lambda: bool(closing))
    assert send(shared(server.url("/second"))).body == b"mine"
    assert server.connections == 2
