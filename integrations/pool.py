"""The pool of connections of this process: vetted when they are made, and again each time they are taken.

A connection that was used before is taken for safe methods only. The target may just be closing it; then nobody knows
whether the request arrived, and only a safe one can be sent again without asking.
"""

from __future__ import annotations

import logging
import os
import socket
import ssl
import threading
import time
from functools import cache
from typing import Any

import certifi
import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from integrations import sockets

IDLE_SECONDS = 15.0
"""Servers and firewalls drop idle connections without a word; most wait longer than this."""

HOSTS_KEPT = 50
CONNECTIONS_KEPT_PER_HOST = 10

_making = threading.Lock()

# Its messages quote whole URLs, and the query of a URL may hold a key.
logging.getLogger("urllib3").setLevel(logging.ERROR)


class VettedConnection(HTTPConnection):
    idle_since = 0.0

    def _new_conn(self) -> socket.socket:
        return sockets.connect(self.host, self.port)


class VettedTLSConnection(HTTPSConnection):
    idle_since = 0.0

    def _new_conn(self) -> socket.socket:
        return sockets.connect(self.host, self.port)


class VettedPool(HTTPConnectionPool):
    ConnectionCls = VettedConnection

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection: Any = super()._get_conn(timeout)
        if not connection.is_closed:
            attempt = sockets.current.get()
            attempt.reused = attempt.may_reuse and _may_be_used_again(connection)
            if not attempt.reused:
                connection.close()  # it will connect anew
        return connection

    def _put_conn(self, conn: Any) -> None:
        if conn is not None:
            conn.idle_since = time.monotonic()
        super()._put_conn(conn)


class VettedTLSPool(VettedPool, HTTPSConnectionPool):
    ConnectionCls = VettedTLSConnection  # type: ignore[assignment]


class SafeAdapter(HTTPAdapter):
    """requests' transport alone. Without a Session there are no redirects, cookies, netrc or proxies of the environment."""

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **pool_kwargs: Any) -> None:
        super().init_poolmanager(connections, maxsize, block, ssl_context=_tls_context(), **pool_kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": VettedPool, "https": VettedTLSPool}

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Nothing to choose: the TLS context verifies, always."""

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: Any) -> PoolManager:
        raise ValueError("Calls go out without a proxy.")

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """The answer as urllib3 gives it, its body unread; no cookies are looked for."""
        response = requests.Response()
        response.status_code = resp.status
        response.raw = resp
        response.request = req
        return response


def _may_be_used_again(connection: Any) -> bool:
    idle_seconds = time.monotonic() - connection.idle_since
    return idle_seconds < IDLE_SECONDS and sockets.may_keep(connection.sock, connection.host)


def _tls_context() -> ssl.SSLContext:
    """Trusts the public authorities, and those that the operator added to the machine's (or to SSL_CERT_FILE)."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2  # some builds of Python leave it to the system's OpenSSL
    context.load_default_certs()
    context.sslsocket_class = sockets.TLSSocket
    return context


def adapter() -> SafeAdapter:
    """The one of this process."""
    with _making:
        return _adapter()


@cache
def _adapter() -> SafeAdapter:
    return SafeAdapter(HOSTS_KEPT, CONNECTIONS_KEPT_PER_HOST, max_retries=0)


def close_all() -> None:
    """Close the idle connections; the next call makes its own."""
    if _adapter.cache_info().currsize:
        adapter().close()


def forget() -> None:
    """Make a new adapter at the next call, as in a child process: two processes can't share a connection.

    The lock is new as well: in a child, it may be held by a thread that isn't there.
    """
    global _making
    _making = threading.Lock()
    _adapter.cache_clear()


os.register_at_fork(after_in_child=forget)
