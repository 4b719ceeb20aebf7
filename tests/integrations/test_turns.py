"""Turns at a host: how many calls are under way at once, who waits, and that no turn is ever lost."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from integrations import turns
from integrations.http import CallFailed, CallNotBuilt, OutboundRequest, send
from tests.integrations.doors import Names, Serve, failure, get
from tests.integrations.servers import Server, answer, raw
from tests.integrations.test_http_hostile import HOSTILE

pytestmark = pytest.mark.pure


@pytest.fixture
def one_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "CALLS_PER_HOST", 1)
    monkeypatch.setattr(turns, "CALLS_PER_SCOPE", 1)


@pytest.fixture
def slow(serve: Serve) -> Iterator[Server]:
    """A service that answers when the test says so, with its `release`."""
    release = threading.Event()

    def when_released(request: bytes) -> Iterator[bytes | float]:
        while not release.wait(0.005):
            yield 0.0
        yield from answer(b"late")(request)

    server = serve(when_released)
    server.release = release  # type: ignore[attr-defined]
    yield server
    release.set()


def under_way(server: Server, scope: str = "") -> threading.Thread:
    """A call that has arrived and waits for its answer."""
    before = len(server.requests)
    call = OutboundRequest("GET", server.url(), scope=scope, timeout_seconds=30)
    thread = threading.Thread(target=send, args=(call,))
    thread.start()
    while len(server.requests) == before:
        pass
    return thread


def test_who_finds_a_host_busy_is_told_and_nothing_is_sent(one_turn: None, slow: Server) -> None:
    first = under_way(slow)
    failed = failure(slow.url(), timeout_seconds=0.1)
    assert (failed.code, failed.sent, len(slow.requests)) == ("host_busy", False, 1)
    slow.release.set()  # type: ignore[attr-defined]
    first.join()
    assert get(slow.url()).body == b"late"


def test_who_waits_gets_the_turn_that_becomes_free(one_turn: None, slow: Server) -> None:
    first = under_way(slow)
    bodies: list[bytes] = []
    threads = [threading.Thread(target=lambda: bodies.append(get(slow.url(), timeout_seconds=30).body)) for _ in "abc"]
    for thread in threads:
        thread.start()
    slow.release.set()  # type: ignore[attr-defined]
    for thread in [first, *threads]:
        thread.join()
    assert bodies == [b"late"] * 3


def test_a_busy_host_holds_up_no_other(one_turn: None, slow: Server, serve: Serve) -> None:
    first = under_way(slow)
    assert get(serve(answer(b"quick")).url()).body == b"quick"
    slow.release.set()  # type: ignore[attr-defined]
    first.join()


def test_one_login_leaves_turns_of_a_host_to_others(slow: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "CALLS_PER_SCOPE", 1)
    first = under_way(slow, "one")
    with pytest.raises(CallFailed) as caught:
        send(OutboundRequest("GET", slow.url(), scope="one", timeout_seconds=0.1))
    assert caught.value.code == "host_busy"
    second = under_way(slow, "two")
    slow.release.set()  # type: ignore[attr-defined]
    first.join()
    second.join()


@pytest.mark.parametrize("name", HOSTILE)
def test_no_way_to_fail_keeps_a_turn(serve: Serve, name: str) -> None:
    failure(serve(HOSTILE[name][0]).url(), timeout_seconds=0.2)
    assert not turns._busy


def test_a_call_that_never_connects_keeps_no_turn(loopback: None, names: Names) -> None:
    names["nowhere.test"], names["inner.test"] = [], ["10.0.0.1"]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url in ("https://nowhere.test/", "https://inner.test/", f"http://127.0.0.1:{port}/", "http://:1/", "x"):
        with suppress(CallFailed, CallNotBuilt):
            send(OutboundRequest("GET", url))
    assert not turns._busy


def test_what_breaks_on_the_way_keeps_no_turn(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.http._exchange", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        get(serve(raw()).url())
    assert not turns._busy
