"""The door over TLS: the certificate is verified for the name of the URL, always."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from integrations import transport
from integrations.http import OutboundRequest, send
from tests.integrations.doors import Names, Serve, failure, get
from tests.integrations.servers import Server, certificate, echo, forever, raw

pytestmark = pytest.mark.pure


@pytest.fixture(autouse=True)
def _fresh_trust(loopback: None) -> Iterator[None]:
    """The trusted certificates are read anew in each test."""
    transport.forget()
    yield
    transport.forget()


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, names: Names) -> ssl.SSLContext:
    """A server's context whose certificate, for good.test, the operator added to the trusted ones."""
    context, file = certificate(tmp_path, "good.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    names["good.test"] = names["other.test"] = ["127.0.0.1"]
    return context


def test_a_verified_target_is_called(serve: Serve, trusted: ssl.SSLContext) -> None:
    server = serve(echo, tls=trusted)
    body = bytes(range(256)) * 2000
    assert send(OutboundRequest("POST", server.url(host="good.test"), body=body)).body.endswith(body)
    assert [get(server.url(host="good.test")).status for _ in range(3)] == [200] * 3
    assert server.connections == 4


def test_a_certificate_for_another_name_is_refused(serve: Serve, trusted: ssl.SSLContext) -> None:
    server = serve(echo, tls=trusted)
    failed = failure(server.url(host="other.test"))
    assert (failed.code, failed.sent) == ("tls_failed", False)
    assert "127.0.0.1" not in failed.message + failed.hint
    assert failure(server.url()).code == "tls_failed"
    assert server.requests == []


def test_a_certificate_of_nobody_s_is_refused(serve: Serve, names: Names, tmp_path: Path) -> None:
    names["self.test"] = ["127.0.0.1"]
    server = serve(echo, tls=certificate(tmp_path, "self.test")[0])
    failed = failure(server.url(host="self.test"))
    assert (failed.code, failed.sent) == ("tls_failed", False)
    assert "self-signed" in failed.message


def test_an_expired_certificate_is_refused(
    serve: Serve, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = certificate(tmp_path, "old.test", days=-1)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    names["old.test"] = ["127.0.0.1"]
    failed = failure(serve(echo, tls=context).url(host="old.test"))
    assert (failed.code, failed.sent) == ("tls_failed", False)
    assert "expired" in failed.message


def test_the_environment_of_requests_does_not_decide_whom_we_trust(
    serve: Serve, names: Names, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, file = certificate(tmp_path, "self.test")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, str(file))
    names["self.test"] = ["127.0.0.1"]
    assert failure(serve(echo, tls=context).url(host="self.test")).code == "tls_failed"


def test_a_target_without_tls_is_not_talked_to(loopback: None) -> None:
    class Plain(Server):
        def _serve(self, connection: socket.socket) -> None:
            with connection:
                connection.recv(1000)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with Plain(raw()) as server:
        failed = failure(server.url(scheme="https"))
    assert (failed.code, failed.sent) == ("tls_failed", False)


@pytest.mark.parametrize(
    "script", [raw(30.0), forever(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", b"a", pause=0.02)]
)
def test_the_deadline_holds_over_tls(serve: Serve, trusted: ssl.SSLContext, script: object) -> None:
    failed = failure(serve(script, tls=trusted).url(host="good.test"), timeout_seconds=0.5)
    assert failed.timed_out
    assert failed.sent


def test_a_handshake_that_stalls_was_not_sent(serve: Serve) -> None:
    class NeverReady:
        def wrap_socket(self, connection: object, **_: object) -> object:
            serve_forever.wait(30)
            raise OSError

    serve_forever = threading.Event()
    server = serve(echo, tls=NeverReady())
    try:
        failed = failure(server.url(), timeout_seconds=0.3)
    finally:
        serve_forever.set()
    assert (failed.code, failed.sent) == ("timed_out", False)


def test_an_endless_answer_over_tls_is_cut(serve: Serve, trusted: ssl.SSLContext) -> None:
    server = serve(forever(b"HTTP/1.1 200 OK\r\n\r\n", b"a" * 65536), tls=trusted)
    assert failure(server.url(host="good.test"), timeout_seconds=20).code == "answer_too_large"


def test_verification_can_not_be_switched_off() -> None:
    context = transport.adapter().poolmanager.connection_pool_kw["ssl_context"]
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
