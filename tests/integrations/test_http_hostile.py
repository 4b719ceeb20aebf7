"""The door with servers that mean harm: each ends as a failure of its own kind, in time and within memory."""

from __future__ import annotations

import gzip
import resource
import socket
import time
import zlib
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from integrations import sockets
from integrations.http import CallFailed, Limits, OutboundRequest, send
from tests.integrations.doors import Serve, failure, get
from tests.integrations.servers import Script, Server, answer, bomb, drip, echo, forever, raw

pytestmark = pytest.mark.pure

OK = b"HTTP/1.1 200 OK\r\n"
DEADLINE_SECONDS = 0.4

HOSTILE: dict[str, tuple[Script, str]] = {
    "says nothing": (raw(30.0), "timed_out"),
    "drips the status line": (drip(b"HTTP/1.1 200 " + b"O" * 4000), "timed_out"),
    "drips the headers": (forever(OK, b"X-Header: 1\r\n", pause=0.02), "timed_out"),
    "drips a header": (forever(OK + b"X-Header: ", b"a", pause=0.02), "timed_out"),
    "drips the body": (forever(OK + b"Content-Length: 100000\r\n\r\n", b"a", pause=0.02), "timed_out"),
    "drips chunks": (forever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", pause=0.02), "timed_out"),
    "drips the length of a chunk": (forever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0", pause=0.02), "timed_out"),
    "drips 100 Continue": (forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n", pause=0.02), "timed_out"),
    "stalls after the headers": (raw(OK + b"Content-Length: 5\r\n\r\n", 30.0), "timed_out"),
    "stalls in the body": (raw(OK + b"Content-Length: 5\r\n\r\nab", 30.0), "timed_out"),
    "never stops 100 Continue": (forever(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), "answer_too_large"),
    "never ends the status line": (forever(b"HTTP/1.1 200 ", b"O" * 1000), "answer_too_large"),
    "never ends a header": (forever(OK + b"X-Header: ", b"a" * 1000), "answer_too_large"),
    "never ends the headers": (forever(OK, b"X-Header: 1\r\n"), "answer_too_large"),
    "sends 100 huge headers": (raw(OK, *([b"X: " + b"a" * 8000 + b"\r\n"] * 90), b"\r\n"), "answer_too_large"),
    "never ends the body": (forever(OK + b"\r\n", b"a" * 65536), "answer_too_large"),
    "never ends the chunks": (
        forever(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1000\r\n" + b"a" * 4096 + b"\r\n"),
        "answer_too_large",
    ),
    "sends a huge chunk": (
        forever(OK + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n", b"a" * 65536),
        "answer_too_large",
    ),
    "never ends a trailer": (
        forever(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: " + b"a" * 500 + b"\r\n"),
        "answer_too_large",
    ),
    "sends a large body": (answer(b"a" * (1024 * 1024 + 1)), "answer_too_large"),
    "sends a gzip bomb": (bomb(), "answer_too_large"),
    "sends empty gzip blocks for ever": (
        forever(OK + b"Content-Encoding: gzip\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\xff", b"\0\0\0\xff\xff" * 10_000),
        "answer_too_large",
    ),
    "closes at once": (raw(), "bad_answer"),
    "closes in the status line": (raw(b"HTTP/1."), "bad_answer"),
    "closes in the headers": (raw(OK + b"X-Head"), "bad_answer"),
    "closes after a header": (raw(OK + b"X-Header: 1\r\n"), "bad_answer"),
    "closes in the body": (raw(OK + b"Content-Length: 10\r\n\r\nabc"), "bad_answer"),
    "closes in a chunk": (raw(OK + b"Transfer-Encoding: chunked\r\n\r\n10\r\nabc"), "bad_answer"),
    "closes before the last chunk": (raw(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"), "bad_answer"),
    "isn't HTTP": (raw(b"220 mail.example.com ESMTP\r\n\r\n"), "bad_answer"),
    "sends a chunk length that isn't one": (
        raw(OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n"),
        "bad_answer",
    ),
    "sends two lengths": (raw(OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), "bad_answer"),
    "sends broken gzip": (answer(b"not gzip at all", headers=[("Content-Encoding", "gzip")]), "bad_answer"),
    "sends an encoding we don't know": (answer(b"x", headers=[("Content-Encoding", "br")]), "bad_answer"),
    "packs a hundred times": (answer(b"x", headers=[("Content-Encoding", ", ".join(["gzip"] * 100))]), "bad_answer"),
    "sends more than it said": (raw(OK + b"Content-Length: 3\r\n\r\nabcdef"), "bad_answer"),
    "sends a second answer": (raw((OK + b"Content-Length: 4\r\n\r\ntrue") * 2), "bad_answer"),
    "goes on after the last chunk": (raw(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nmore"), "bad_answer"),
    "says chunked and a length": (
        raw(OK + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        "bad_answer",
    ),
    "says chunked to an older version": (
        raw(b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
        "bad_answer",
    ),
    "says a coding we don't know": (raw(OK + b"Transfer-Encoding: xchunked\r\n\r\nabc"), "bad_answer"),
    "hides the length behind a line that is no header": (
        raw(OK + b"no colon\r\nContent-Length: 10\r\n\r\nabc"),
        "bad_answer",
    ),
    "sends a length that is a list": (raw(OK + b"Content-Length: 3, 3\r\n\r\nabc"), "bad_answer"),
    "sends a length below nothing": (raw(OK + b"Content-Length: -1\r\n\r\nabc"), "bad_answer"),
    "sends chunks shorter than they say": (
        raw(OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n"),
        "bad_answer",
    ),
    "sends a chunk length as Python writes it": (
        raw(OK + b"Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n"),
        "bad_answer",
    ),
    "sends a NUL in a header": (answer(headers=[("X-Odd", "a\x00b")]), "bad_answer"),
    "sends a bare CR in a header": (raw(OK + b"X: a\rSet-Cookie: b\r\nContent-Length: 0\r\n\r\n"), "bad_answer"),
    "speaks HTTP/0.9": (raw(b"HTTP/0.9 200 OK\r\nContent-Length: 3\r\n\r\nabc"), "bad_answer"),
    "speaks HTTP/0.9 without a head": (raw(b"<html>hello</html>"), "bad_answer"),
    "speaks HTTP/1.7": (raw(b"HTTP/1.7 200 OK\r\nContent-Length: 3\r\n\r\nabc"), "bad_answer"),
    "packs twice": (
        answer(gzip.compress(gzip.compress(b"text")), headers=[("Content-Encoding", "gzip, gzip")]),
        "bad_answer",
    ),
    "cuts what it packed": (answer(gzip.compress(b"text")[:-9], headers=[("Content-Encoding", "gzip")]), "bad_answer"),
    "adds to what it packed": (
        answer(gzip.compress(b"text") + b"more", headers=[("Content-Encoding", "gzip")]),
        "bad_answer",
    ),
    "sends a deflate bomb": (
        answer(zlib.compress(bytes(64 * 1024 * 1024)), headers=[("Content-Encoding", "deflate")]),
        "answer_too_large",
    ),
    "answers 103 for good": (raw(b"HTTP/1.1 103 Early Hints\r\n\r\n"), "bad_answer"),
    "switches protocols": (raw(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"), "bad_answer"),
    "answers 999": (raw(b"HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n"), "bad_answer"),
}
SLOW = {"timed_out": DEADLINE_SECONDS}


@pytest.mark.parametrize(("script", "code"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_server_ends_as_a_failure(serve: Serve, script: Script, code: str) -> None:
    server = serve(script)
    began = time.monotonic()
    failed = failure(server.url(), timeout_seconds=SLOW.get(code, 20))
    assert failed.code == code
    assert failed.sent
    assert failed.timed_out == (code == "timed_out")
    assert time.monotonic() - began < 25
    assert len(server.requests) == 1


@pytest.mark.parametrize("name", [name for name in HOSTILE if HOSTILE[name][1] == "answer_too_large"])
def test_a_post_is_never_sent_twice(serve: Serve, name: str) -> None:
    server = serve(HOSTILE[name][0])
    failure(OutboundRequest("POST", server.url(), body=b"x", timeout_seconds=20))
    assert len(server.requests) == 1


def test_endless_answers_do_not_fill_the_memory(serve: Serve) -> None:
    get(serve(echo).url())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("never ends the body", "sends a huge chunk", "sends empty gzip blocks for ever"):
        failure(serve(HOSTILE[name][0]).url(), timeout_seconds=20)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 * 1024  # KiB


def test_a_target_that_does_not_read_can_not_hold_us(serve: Serve) -> None:
    class Deaf(Server):
        def _serve(self, connection: socket.socket) -> None:
            self._stopping.wait(30)
            connection.close()

    with Deaf(raw()) as server:
        failed = failure(
            OutboundRequest("POST", server.url(), body=bytes(1024 * 1024), timeout_seconds=DEADLINE_SECONDS)
        )
    assert failed.timed_out
    assert failed.sent


def test_who_speaks_first_is_not_spoken_to(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    class Banner(Server):
        def _serve(self, connection: socket.socket) -> None:
            with connection, suppress(ConnectionResetError):  # since what it said wasn't read
                connection.sendall(b"220 mail.example.com ESMTP\r\n")
                self.requests += filter(None, [connection.recv(1000)])

    def when_it_spoke(sock: socket.socket, host: str) -> bool:
        while sockets.is_silent(sock):
            pass
        return True

    monkeypatch.setattr(sockets, "reached_allowed", when_it_spoke)
    with Banner(raw()) as server:
        failed = failure(server.url())
    assert (failed.code, failed.sent, server.requests) == ("bad_answer", False, [])


def test_a_success_that_comes_before_the_whole_request_is_none(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []
    really = sockets.PlainSocket.sendall

    def broken_by_the_body(self: socket.socket, data: bytes, flags: int = 0) -> None:
        sent.append(data)
        if len(sent) % 2:
            return really(self, data.replace(b"Content-Length: 4", b"Content-Length: 0"))  # for the server
        sockets.current.get().cut_short = True
        raise BrokenPipeError

    monkeypatch.setattr(sockets.PlainSocket, "sendall", broken_by_the_body)
    for status, code in (("200 OK", "bad_answer"), ("413 Too Large", 413)):
        server = serve(answer(status=status))
        try:
            outcome: object = send(OutboundRequest("POST", server.url(), body=b"body")).status
        except CallFailed as failed:
            outcome = failed.code
        assert outcome == code


def test_limits_can_be_lowered(serve: Serve) -> None:
    small = Limits(body_bytes=10)
    assert failure(serve(answer(b"a" * 11)).url(), limits=small).code == "answer_too_large"
    assert send(OutboundRequest("GET", serve(answer(b"a" * 10)).url()), limits=small).body == b"a" * 10


_HEADS = st.sampled_from(
    [b"", OK, b"HTTP/1.1 204 \r\n", b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/2 200\r\n"]
)
_LINES = st.lists(
    st.sampled_from(
        [
            b"Content-Length: 3\r\n",
            b"Content-Length: -1\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Content-Encoding: gzip\r\n",
        ]
        + [
            b"Content-Encoding: deflate\r\n",
            b"Connection: close\r\n",
            b" folded\r\n",
            b"no colon\r\n",
            b"\xff\xfe: \xff\r\n",
            b":\r\n",
        ]
        + [b"Set-Cookie: a=\x00\r\n", b"Content-Type: text/plain; charset=\r\n", b"X: \rY\r\n"]
    ),
    max_size=4,
).map(b"".join)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bytes_=st.tuples(_HEADS, _LINES, st.sampled_from([b"\r\n", b""]), st.binary(max_size=30)).map(b"".join))
def test_any_bytes_become_an_answer_or_a_failure(fuzzed: list[bytes], fuzzing: Server, bytes_: bytes) -> None:
    fuzzed[0] = bytes_
    try:
        outcome = str(get(fuzzing.url(), timeout_seconds=5).status)
    except CallFailed as failed:
        outcome = failed.code
    assert outcome in ("200", "204", "bad_answer", "answer_too_large")


@pytest.fixture
def fuzzed() -> list[bytes]:
    return [b""]


@pytest.fixture
def fuzzing(serve: Serve, fuzzed: list[bytes]) -> Server:
    return serve(lambda request: [fuzzed[0]])
