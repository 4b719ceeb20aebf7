"""The door with well-behaved servers: what goes over the wire, what comes back, and that nothing is kept."""

from __future__ import annotations

import contextlib
import gzip
import os
import socket
import threading
import time
import traceback
import zlib
from pathlib import Path

import pytest

from integrations import sockets, transport
from integrations.http import CallFailed, CallNotBuilt, OutboundRequest, send
from tests.integrations.doors import Serve, failure, get
from tests.integrations.servers import Server, answer, echo, raw

pytestmark = pytest.mark.pure


def test_an_answer_has_status_headers_and_body(serve: Serve) -> None:
    server = serve(
        answer(b"hello", status="201 Created", headers=[("X-One", "1"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
    )
    response = get(server.url("/things?x=1"))
    assert (response.status, response.body) == (201, b"hello")
    assert response.headers == [("x-one", "1"), ("set-cookie", "a=1"), ("set-cookie", "b=2"), ("content-length", "5")]
    assert response.elapsed_seconds > 0
    assert server.requests[0].startswith(b"GET /things?x=1 HTTP/1.1\r\n")


def test_a_request_goes_out_as_it_is_asked_for_and_nothing_else(serve: Serve) -> None:
    server = serve(echo)
    headers = (("X-A", " one "), ("X-A", "two"), ("Content-Type", "application/json"))
    response = send(OutboundRequest("POST", server.url("/a%20b/c;d?q=%C3%A9"), headers, b'{"a":1}'))
    head, _, body = response.body.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    assert first == "POST /a%20b/c;d?q=%C3%A9 HTTP/1.1"
    assert body == b'{"a":1}'
    assert sorted(lines) == sorted(
        [
            f"Host: 127.0.0.1:{server.port}",
            "X-A: one, two",
            "Content-Type: application/json",
            "Accept: application/json, */*;q=0.8",
            "User-Agent: Chatflow",
            "Accept-Encoding: gzip, deflate",
            "Connection: close",
            "Content-Length: 7",
        ]
    )


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
def test_a_request_without_a_body_says_so(serve: Serve, method: str) -> None:
    assert b"\r\nContent-Length: 0\r\n" in send(OutboundRequest(method, serve(echo).url())).body


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [("gzip", gzip.compress(b"text")), ("deflate", zlib.compress(b"text")), ("identity", b"text")],
)
def test_a_packed_answer_is_unpacked(serve: Serve, encoding: str, packed: bytes) -> None:
    assert get(serve(answer(packed, headers=[("Content-Encoding", encoding)])).url()).body == b"text"


def test_a_chunked_answer_is_put_together(serve: Serve) -> None:
    server = serve(
        raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n")
    )
    assert get(server.url()).body == b"abcde"


def test_an_answer_may_end_with_its_connection(serve: Serve) -> None:
    assert get(serve(raw(b"HTTP/1.0 200 OK\r\n\r\nold style")).url()).body == b"old style"


def test_an_interim_answer_is_passed_over(serve: Serve) -> None:
    server = serve(raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"))
    assert get(server.url()).body == b"ok"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified", "404 Not Found", "500 Oops"])
def test_any_final_status_is_an_answer(serve: Serve, status: str) -> None:
    assert get(serve(answer(status=status)).url()).status == int(status[:3])


def test_a_head_request_has_no_body(serve: Serve) -> None:
    server = serve(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n"))
    assert send(OutboundRequest("HEAD", server.url())).body == b""


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
def test_a_redirect_is_an_ordinary_answer(serve: Serve, status: str) -> None:
    target = serve(answer(b"secret"))
    server = serve(answer(status=status, headers=[("Location", target.url())]))
    assert get(server.url()).status == int(status[:3])
    assert target.connections == 0


def test_an_ipv6_address_is_called(serve: Serve) -> None:
    server = serve(echo, family=socket.AF_INET6)
    assert f"\r\nHost: [::1]:{server.port}\r\n".encode() in get(server.url()).body


def test_control_characters_in_headers_of_an_answer_are_replaced(serve: Serve) -> None:
    assert get(serve(answer(headers=[("X-Odd", "a\x01b\x1bc")])).url()).headers[0] == ("x-odd", "a\ufffdb\ufffdc")


# --- Nothing from the environment, nothing from the call before -----------------------------------------------------------


def test_the_environment_changes_nothing(serve: Serve, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login user password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    proxy = serve(answer(b"proxy"))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, proxy.url())
    response = get(serve(echo).url())
    assert b"authorization" not in response.body.lower()
    assert proxy.connections == 0


def test_cookies_and_credentials_are_not_kept(serve: Serve) -> None:
    server = serve(lambda request: answer(request, headers=[("Set-Cookie", "session=1; Path=/")])(request), keeps=True)
    get(server.url(), headers=(("Authorization", "Bearer x"),))
    second = get(server.url()).body.lower()
    assert b"cookie" not in second
    assert b"authorization" not in second


def test_the_library_s_logs_and_errors_hold_no_key(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    garbled = failure(serve(raw(b"HTTP/1.1 200 OK\r\nno colon here\r\nX: 1\r\n\r\n")).url("/?key=planted"))
    broken = failure(serve(raw(b"nonsense\r\n\r\n")).url("/?key=planted"))
    assert "planted" not in caplog.text + "".join(
        traceback.format_exception(garbled) + traceback.format_exception(broken)
    )


# --- Without a scope no connection is used twice (test_http_reuse.py has the others) --------------------------------------------

FALSE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfalse"


@pytest.mark.parametrize("late_seconds", [0.0, 0.02])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
@pytest.mark.parametrize(
    "first",
    [
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: keep-alive\r\n\r\ntrue",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntrue\r\n0\r\n\r\n",
    ],
)
def test_what_follows_an_answer_is_never_the_answer_of_another_call(
    serve: Serve, first: bytes, method: str, late_seconds: float
) -> None:
    surplus = [first, late_seconds, FALSE] if late_seconds else [first + FALSE]
    server = serve(
        lambda request: surplus if request.split(b" ")[1] == b"/first" else answer(b"mine")(request), keeps=True
    )
    with contextlib.suppress(CallFailed):  # where it is seen
        send(OutboundRequest(method, server.url("/first")))
    assert [get(server.url("/second")).body for _ in range(2)] == [b"mine"] * 2
    assert (server.connections, len(server.requests)) == (3, 3)


def test_each_request_asks_the_target_to_close(serve: Serve) -> None:
    assert b"\r\nConnection: close\r\n" in get(serve(echo).url()).body


def test_a_connection_is_closed_even_if_the_target_would_keep_it(serve: Serve) -> None:
    closed = threading.Event()

    class Watching(Server):
        def _serve(self, connection: socket.socket) -> None:
            super()._serve(connection)  # ends when we close
            closed.set()

    with Watching(echo, keeps=True) as server:
        get(server.url())
        assert closed.wait(10)


def test_threads_call_at_once(serve: Serve) -> None:
    server = serve(echo, keeps=True)
    bodies: list[bytes] = []

    def work(number: int) -> None:
        bodies.extend(get(server.url(f"/{number}/{turn}")).body.split(b" ")[1] for turn in range(5))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(bodies) == sorted(f"/{number}/{turn}".encode() for number in range(8) for turn in range(5))


def test_a_changed_setting_is_obeyed_by_the_next_call(serve: Serve, settings: object) -> None:
    server = serve(echo, keeps=True)
    get(server.url())
    settings.OUTBOUND_ALLOWED_NETWORKS = []  # type: ignore[attr-defined]
    assert failure(server.url()).code == "target_not_allowed"
    assert len(server.requests) == 1


def test_a_request_whose_connection_closes_is_not_sent_again(serve: Serve) -> None:
    server = serve(raw())
    get_failed = failure(server.url())
    assert (get_failed.code, get_failed.sent, len(server.requests)) == ("bad_answer", True, 1)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_process_makes_an_adapter_of_its_own(serve: Serve) -> None:
    get(serve(echo).url())
    reader, writer = os.pipe()
    child = os.fork()
    if not child:  # pragma: no cover
        os.write(writer, b"%d" % transport._adapter.cache_info().currsize)
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 10) == b"0"
    os.close(reader)
    os.close(writer)


# --- Calls that are not made ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "get", "GET / HTTP/1.1\r\nX: y", ""])
def test_only_ordinary_methods_are_sent(serve: Serve, method: str) -> None:
    server = serve(echo)
    with pytest.raises(CallNotBuilt):
        send(OutboundRequest(method, server.url()))
    assert server.connections == 0


def test_a_body_that_is_too_large_is_not_sent(serve: Serve) -> None:
    server = serve(echo)
    with pytest.raises(CallNotBuilt):
        send(OutboundRequest("POST", server.url(), body=bytes(1024 * 1024 + 1)))
    assert server.connections == 0


def test_a_header_that_could_smuggle_is_not_sent(serve: Serve) -> None:
    server = serve(echo)
    for header in [("Transfer-Encoding", "chunked"), ("Host", "other"), ("X", "a\r\nY: b"), ("X", "a\x00")]:
        with pytest.raises(CallNotBuilt):
            send(OutboundRequest("POST", server.url(), (header,), b"x"))
    assert server.connections == 0


# --- Not getting through ----------------------------------------------------------------------------------------------------


def test_a_refused_connection_was_not_sent(loopback: None) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    failed = failure(f"http://127.0.0.1:{port}/")
    assert (failed.code, failed.sent, failed.timed_out) == ("could_not_connect", False, False)


def test_an_unknown_name_was_not_sent(loopback: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(host: str, port: int) -> list[object]:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(sockets, "resolve", unknown)
    failed = failure("https://nowhere.test/")
    assert (failed.code, failed.sent) == ("target_not_allowed", False)
    assert "nowhere.test" in failed.message


def test_a_resolver_that_hangs_holds_nobody(loopback: None, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def hang(host: str, port: int) -> list[object]:
        release.wait(20)
        return []

    monkeypatch.setattr(sockets, "resolve", hang)
    monkeypatch.setattr(sockets, "LOOKUP_SECONDS", 0.05)
    try:
        assert failure("https://slow.test/").code == "target_not_allowed"
        monkeypatch.setattr(sockets, "LOOKUP_SECONDS", 20)
        assert failure("https://slow.test/", timeout_seconds=0.05).timed_out
    finally:
        release.set()


def test_a_name_that_hangs_holds_one_thread_however_many_ask_for_it(
    loopback: None, monkeypatch: pytest.MonkeyPatch, names: dict[str, list[str]]
) -> None:
    release = threading.Event()
    asked: list[str] = []
    ordinary = sockets.resolve

    def hang(host: str, port: int) -> list[object]:
        asked.append(host)
        if host == "hangs.test":
            release.wait(20)
        return ordinary(host, port)

    monkeypatch.setattr(sockets, "resolve", hang)
    monkeypatch.setattr(sockets, "LOOKUP_SECONDS", 0.05)
    monkeypatch.setattr(sockets, "_lookups", threading.BoundedSemaphore(2))
    names["other.test"] = ["93.184.216.34"]
    try:
        codes = [failure(f"https://{host}/").code for host in ("hangs.test", "hangs.test", "hangs.test")]
        monkeypatch.setattr(sockets, "LOOKUP_SECONDS", 20)
        monkeypatch.setattr(sockets, "is_our_own", lambda host: True)  # so that nothing is connected to
        assert failure("https://other.test/").code == "target_not_allowed"
    finally:
        release.set()
    assert codes == ["target_not_allowed"] * 3
    assert asked == ["hangs.test", "other.test"]


def test_names_of_our_network_can_not_be_told_from_those_that_are_not_there(
    loopback: None, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    names["there.internal"], names["absent.internal"] = ["10.0.0.5"], []
    monkeypatch.setitem(names, "both.internal", ["93.184.216.34", "10.0.0.5"])
    told = [failure(f"http://{name}.internal:6379/") for name in ("there", "absent", "both")]
    assert len({(one.code, one.sent, one.hint) for one in told}) == 1
    assert len({one.message.split(" ", 1)[1] for one in told}) == 1
    assert not any("10.0.0.5" in str(one) + one.hint for one in told)


def test_the_next_address_is_tried(serve: Serve, names: dict[str, list[str]]) -> None:
    server = serve(echo)
    names["two.test"] = ["127.0.0.2", "127.0.0.1"]  # nobody listens on the first
    assert get(server.url(host="two.test")).status == 200


def test_a_failure_says_whether_anything_was_sent(serve: Serve) -> None:
    failed = failure(serve(raw(b"nonsense")).url())
    assert (failed.code, failed.sent) == ("bad_answer", True)


def test_time_out_is_capped(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("integrations.http.MAX_TIMEOUT_SECONDS", 0.1)
    began = time.monotonic()
    assert failure(serve(raw(30.0)).url(), timeout_seconds=30).timed_out
    assert time.monotonic() - began < 10


def test_a_failure_is_one_that_a_node_can_leave_by(serve: Serve) -> None:
    from flows.engine.errors import NodeError

    assert issubclass(CallFailed, NodeError)
    assert issubclass(CallNotBuilt, NodeError)
